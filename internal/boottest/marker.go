package boottest

import (
	"fmt"
	"io/fs"
)

// KernelArguments are what the guest's kernel must be started with to be heard: the screen as ever, and the serial console, which is
// the last one and so gets a login prompt.
const KernelArguments = "console=tty0 console=ttyS0,115200"

// File is one file to put into the overlay of a guest. Data is its content, or Link where it points to if it is a symbolic link.
type File struct {
	Path string // absolute, in the guest
	Data []byte
	Link string
	Mode fs.FileMode // type and permissions
}

const (
	markerName   = "hyper2kvm-boot-test"
	markerScript = "/etc/" + markerName + ".sh"
	// What stands behind the token.
	stateUp       = "up"
	stateReadOnly = "read-only"
)

// MarkerFiles returns what to put into the overlay of a Linux guest so that it prints the token when it is up: when logins are
// possible, its services were started and its root can be written, and that it cannot be, otherwise. init is the guest's: systemd, sysvinit, openrc
// or upstart. The caller gives the files the labels that SELinux wants, if the guest has it, and adds KernelArguments to its kernels.
// Another init, or a token that is not 16 to 64 letters, digits and hyphens, gives ErrOptions.
func MarkerFiles(tok, init string) ([]File, error) {
	if !token.MatchString(tok) {
		return nil, fmt.Errorf("boot test: %w: the token is not 16 to 64 letters, digits and hyphens", ErrOptions)
	}
	files := []File{{Path: markerScript, Data: fmt.Appendf(nil, script, markerName, tok), Mode: 0o755}}
	link := func(path, to string) {
		files = append(files, File{Path: path, Link: to, Mode: fs.ModeSymlink | 0o777})
	}
	switch init {
	case "systemd":
		unit := markerName + ".service"
		files = append(files, File{Path: "/etc/systemd/system/" + unit, Data: fmt.Appendf(nil, systemdUnit, markerScript), Mode: 0o644})
		link("/etc/systemd/system/multi-user.target.wants/"+unit, "../"+unit)
	case "upstart":
		files = append(files, File{Path: "/etc/init/" + markerName + ".conf", Data: fmt.Appendf(nil, upstartJob, markerScript), Mode: 0o644})
	case "openrc":
		files = append(files, File{Path: "/etc/init.d/" + markerName, Data: fmt.Appendf(nil, openrcService, markerScript), Mode: 0o755})
		link("/etc/runlevels/default/"+markerName, "/etc/init.d/"+markerName)
	case "sysvinit":
		files = append(files, File{Path: "/etc/init.d/" + markerName, Data: fmt.Appendf(nil, sysvScript, markerName, markerScript), Mode: 0o755})
		for _, level := range []string{"2", "3", "4", "5"} {
			link("/etc/rc"+level+".d/S99"+markerName, "../init.d/"+markerName)
		}
	default:
		return nil, fmt.Errorf("boot test: %w: a marker for the init system %q is not known; systemd, upstart, openrc and sysvinit are", ErrOptions, init)
	}
	return files, nil
}

// script prints the token three times, because the kernel may print into the middle of a line. A root that cannot be written is one
// that was not remounted, unless /etc can be: systems that never change keep it apart.
const script = `#!/bin/sh
# Says on the consoles that this system is up. It stands only in a throw-away copy.
state=read-only
for dir in / /etc; do
	if ( : > "$dir/.%[1]s" ) 2>/dev/null; then
		rm -f "$dir/.%[1]s"
		state=up
		break
	fi
done
for n in 1 2 3; do
	for tty in /dev/ttyS0 /dev/console; do
		if [ -c "$tty" ]; then
			( echo; echo "%[1]s %[2]s $state" ) > "$tty" 2>/dev/null
		fi
	done
	sleep 1
done
`

// systemdUnit runs when logins are possible. It is ordered behind the services of a server's start and not behind all of
// multi-user.target, of which one that waits for a network may hold up the rest for minutes.
const systemdUnit = `[Unit]
Description=Say that the system is up
After=basic.target systemd-user-sessions.service getty.target

[Service]
Type=idle
ExecStart=/bin/sh %[1]s

[Install]
WantedBy=multi-user.target
`

const upstartJob = `description "say that the system is up"
start on stopped rc RUNLEVEL=[2345]
task
exec /bin/sh %[1]s
`

const openrcService = `#!/sbin/openrc-run
description="say that the system is up"

depend() {
	after *
}

start() {
	/bin/sh %[1]s &
}
`

const sysvScript = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          %[1]s
# Required-Start:    $all
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:
# Short-Description: say that the system is up
### END INIT INFO
# chkconfig: 2345 99 01
if [ "$1" = start ]; then
	/bin/sh %[2]s &
fi
`
