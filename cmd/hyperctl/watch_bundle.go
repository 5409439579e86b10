package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"hyper2kvm/internal/jobs"
)

// bundleFromWatch writes the support archive that hyperctl bundle writes, and gives its path: into the working directory, or into that
// of temporary files where nothing may be written there.
func bundleFromWatch(ctx context.Context, con *console, about []jobs.Ref) (string, error) {
	var keys []string
	for _, r := range about {
		keys = append(keys, r.Key())
	}
	path, err := bundleAt(ctx, con, keys, "")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		name := "hyper2kvm-support-" + con.now().Format("20060102-150405") + ".tar.gz"
		path, err = bundleAt(ctx, con, keys, filepath.Join(cmp.Or(con.getenv("TMPDIR"), os.TempDir()), name))
	}
	return path, err
}

// bundleAt writes the archive to a file; "" is its usual name. Nothing is printed: the screen is somebody else's.
func bundleAt(ctx context.Context, con *console, keys []string, file string) (string, error) {
	var said bytes.Buffer
	quiet := *con
	quiet.out, quiet.err, quiet.outTTY, quiet.errTTY = &said, io.Discard, false, false
	quiet.opts.output, quiet.opts.quiet = outName, true
	if err := runBundle(ctx, &quiet, keys, file); err != nil {
		return "", explainError(err)
	}
	return strings.TrimSpace(said.String()), nil
}
