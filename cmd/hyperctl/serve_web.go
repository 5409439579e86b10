package main

import (
	"io/fs"

	"hyper2kvm/web"
)

// dashboardFiles are the built files of the dashboard.
func dashboardFiles() fs.FS { return web.Files() }
