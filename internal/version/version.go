// Package version says which build of the program runs.
package version

import (
	"runtime"
	"runtime/debug"
)

// Version is the release, set by the linker (-X hyper2kvm/internal/version.Version=1.2.3); a plain go build leaves "dev".
var Version = "dev"

// Info is the build as commands print it.
type Info struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Get returns the build information that the linker and the Go tool recorded.
func Get() Info {
	i := Info{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.revision":
				i.Revision = s.Value
			case "vcs.time":
				i.Time = s.Value
			}
		}
	}
	return i
}
