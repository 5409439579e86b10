package main

import "io/fs"

// dashboardFiles are the built files of the dashboard; nil when this program has none.
func dashboardFiles() fs.FS { return nil }
