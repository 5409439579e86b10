package guestfs

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fakeEnv makes the test binary a guestfish: its value says how it behaves.
const fakeEnv = "LIBGUESTFS_HV" // one that a session passes on

func TestMain(m *testing.M) {
	if how, ok := strings.CutPrefix(os.Getenv(fakeEnv), "fake:"); ok {
		fakeFish(how)
		return
	}
	os.Exit(m.Run())
}

// fakeFish reads commands as guestfish does and answers a few of them out of a directory that stands for a guest.
func fakeFish(how string) {
	in := bufio.NewReader(os.Stdin)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		name, args, err := parseLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			fmt.Fprintln(os.Stderr, "guestfish:", err)
			continue
		}
		failed := func(text string) { fmt.Fprintf(os.Stderr, "*stdin*:%d: libguestfs: error: %s: %s\n", n, name, text) }
		switch name {
		case "echo":
			fmt.Println(strings.Join(args, " "))
		case "args":
			fmt.Printf("%q\n", args)
		case "split":
			items, err := parseList(args[0])
			if err != nil {
				failed(err.Error())
				continue
			}
			fmt.Printf("%q\n", items)
		case "debug":
			fmt.Println("x86_64")
		case "key":
			key, _ := in.ReadString('\n')
			fmt.Print(key)
		case "fail":
			failed(args[0])
		case "chatter":
			fmt.Fprintln(os.Stderr, "qemu-system-x86_64: warning: TCG doesn't support requested feature")
		case "die":
			fmt.Fprintln(os.Stderr, "segmentation fault")
			os.Exit(3)
		case "flood":
			for {
				fmt.Println(strings.Repeat("x", 1<<16))
			}
		case "noise":
			fmt.Fprint(os.Stderr, strings.Repeat("libguestfs: error: no\n", 100_000))
		case "hang":
			child := startChild()
			os.WriteFile(args[0], []byte(strconv.Itoa(child)), 0o600)
			time.Sleep(time.Hour)
		case "add":
			os.WriteFile(filepath.Join(os.Getenv("TMPDIR"), "added"), []byte(strings.Join(args, "\n")), 0o600)
		case "run":
			switch how {
			case "nokvm":
				failed("guestfs_launch failed.\nThis usually means the libguestfs appliance failed to start or crashed.")
			case "slow":
				time.Sleep(time.Hour)
			}
		case "umount-all", "shutdown":
		case "sync":
			if how == "nosync" {
				failed("Input/output error")
			}
		default:
			fakeCall(name, args, failed)
		}
	}
}
