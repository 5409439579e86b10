package guestfs

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// complaintHead stands before each error of libguestfs in guestfish: the input and its line.
var complaintHead = regexp.MustCompile(`^(?:\S+:\d+: )?libguestfs: error: `)

// gone are the complaints that mean that there is no appliance any more (lib/proto.c, lib/launch.c).
var gone = []string{
	"appliance closed the connection", "unexpected end of file when reading from daemon", "call launch before", "guestfs_launch failed",
	"unexpectedly died", "appliance is not running", "The libguestfs appliance failed",
}

// complained makes an error of what guestfish wrote on its standard error. Warnings of qemu are none.
func complained(text string) error {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "qemu-system-") || strings.HasPrefix(line, "libguestfs: warning:") || strings.TrimSpace(line) == "" {
			continue
		}
		lines = append(lines, complaintHead.ReplaceAllString(line, ""))
	}
	if len(lines) == 0 {
		return nil
	}
	message := strings.Join(lines, "; ")
	for _, s := range gone {
		if strings.Contains(message, s) {
			return fmt.Errorf("%w: %s", guest.ErrAppliance, clean(message))
		}
	}
	return &fishError{message}
}

// fishError is what libguestfs said of one command.
type fishError struct{ message string }

func (e *fishError) Error() string { return clean(e.message) }

// Is tells what is not there and what is there already, by the texts of the C library in the C locale.
func (e *fishError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return strings.HasSuffix(e.message, "No such file or directory") || strings.HasSuffix(e.message, "Not a directory")
	case fs.ErrExist:
		return strings.HasSuffix(e.message, "File exists")
	case fs.ErrInvalid:
		return strings.HasSuffix(e.message, "Invalid argument")
	case guest.ErrSpace:
		return strings.HasSuffix(e.message, "No space left on device")
	}
	return false
}

// pathError says which name an error is about.
func pathError(op, name string, err error) error {
	if err == nil || errors.Is(err, guest.ErrAppliance) {
		return err
	}
	return &fs.PathError{Op: op, Path: clean(name), Err: err}
}

// clean makes text of a guest fit for a terminal: bounded, and nothing but printable characters.
func clean(s string) string {
	const most = 2000
	if len(s) > most {
		s = s[:most/2] + " [...] " + s[len(s)-most/2:]
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), `\\`, `\`)
}
