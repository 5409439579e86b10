package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServeRefusesWhatIsNotSafe(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "full 0123456789-full-0123456789 ops\n", 0o600)
	open := write("open", "full 0123456789-full-0123456789 ops\n", 0o644)
	bad := write("bad", "full short\n", 0o600)
	for _, tt := range []struct {
		name string
		o    serveOptions
		why  string // in the error; "" = taken
	}{
		{"loopback", serveOptions{listen: "127.0.0.1:8080"}, ""},
		{"loopback by name", serveOptions{listen: "localhost:8080", auth: authNone}, ""},
		{"loopback in IPv6", serveOptions{listen: "[::1]:8080", auth: authNone}, ""},
		{"tokens", serveOptions{listen: "127.0.0.1:8080", tokenFile: good}, ""},
		{"no TCP", serveOptions{listen: "none", auth: authNone}, ""},
		{"everybody from everywhere", serveOptions{listen: "0.0.0.0:8080", auth: authNone}, "loopback addresses only"},
		{"everybody over IPv6", serveOptions{listen: "[::]:8080", auth: authNone}, "loopback addresses only"},
		{"everywhere without an address", serveOptions{listen: ":8080", auth: authNone}, "loopback addresses only"},
		{"a host that may be anywhere", serveOptions{listen: "example.org:8080", auth: authNone}, "loopback addresses only"},
		{"tokens in the clear", serveOptions{listen: "192.0.2.1:8080", tokenFile: good}, "--tls-cert"},
		{"a token file for all", serveOptions{listen: "127.0.0.1:8080", tokenFile: open}, "everybody may read"},
		{"a short token", serveOptions{listen: "127.0.0.1:8080", tokenFile: bad}, "at least 20"},
		{"no token file", serveOptions{listen: "127.0.0.1:8080", tokenFile: dir + "/none"}, "no such file"},
		{"none and tokens", serveOptions{listen: "127.0.0.1:8080", tokenFile: good, auth: authNone}, "--auth=none and --token-file"},
		{"no port", serveOptions{listen: "127.0.0.1"}, "write an address and a port"},
		{"no certificate", serveOptions{listen: "0.0.0.0:8443", tlsCert: dir + "/none", tlsKey: dir + "/none"}, "cannot use the certificate"},
	} {
		_, err := tt.o.check()
		switch {
		case tt.why == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.why != "" && (err == nil || !strings.Contains(err.Error(), tt.why)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.why)
		}
	}
	c, err := serveOptions{listen: "127.0.0.1:1", allowHosts: []string{"KVM1.example.org.", "[2001:db8::1]"}}.check()
	if err != nil || strings.Join(c.hosts, " ") != "kvm1.example.org 2001:db8::1 127.0.0.1" {
		t.Errorf("the hosts are %q, %v", c.hosts, err)
	}
}

func TestSocketIsForItsGroupOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "api.sock")
	l, err := listenUnix(path, dir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, %v", st.Mode(), err)
	}
	if _, err := listenUnix(path, dir); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a socket that is served: %v", err)
	}
	unixListener, ok := l.(*net.UnixListener)
	if !ok {
		t.Fatalf("%T", l)
	}
	unixListener.SetUnlinkOnClose(false) // as after a kill -9
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = listenUnix(path, filepath.Join(dir, "none"))
	if err != nil {
		t.Fatalf("a socket that nobody serves: %v", err)
	}
	defer l.Close()
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("without a group to let in the socket is %v, %v", st.Mode(), err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(file, dir); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("a file instead of a socket: %v", err)
	}
}

func TestSocketPath(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{}
	var out bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &out, func(name string) string { return env[name] }, time.Now)
	env["RUNTIME_DIRECTORY"] = dir
	if got, err := (serveOptions{socket: "auto"}).socketPath(con); got != filepath.Join(dir, "api.sock") || err != nil {
		t.Errorf("auto in a unit: %q %v", got, err)
	}
	if got, err := (serveOptions{socket: "none"}).socketPath(con); got != "" || err != nil {
		t.Errorf("none: %q %v", got, err)
	}
	if got, err := (serveOptions{socket: dir + "/x"}).socketPath(con); got != dir+"/x" || err != nil {
		t.Errorf("a path: %q %v", got, err)
	}
	var f *failure
	if _, err := (serveOptions{}).socketPath(con); !errors.As(err, &f) || f.exit != exitUsage {
		t.Errorf("an empty path: %v", err)
	}
}

func TestURLOfAListener(t *testing.T) {
	for address, want := range map[string]string{"0.0.0.0:0": "http://localhost:", "127.0.0.1:0": "http://127.0.0.1:"} {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := (listener{Listener: l}).url(); !strings.HasPrefix(got, want) {
			t.Errorf("%s is reached at %s, want %s", address, got, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
