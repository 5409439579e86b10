package guestfs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// fakeCall answers calls about files out of $TMPDIR/guest.
func fakeCall(name string, args []string, failed func(string)) {
	at := func(i int) string { return filepath.Join(os.Getenv("TMPDIR"), "guest", args[i]) }
	log, err := os.OpenFile(filepath.Join(os.Getenv("TMPDIR"), "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(log, name)
		log.Close()
	}
	switch name {
	case "lstatns", "statns":
		err = fakeStat(at(0), name == "statns", "")
	case "lstatnslist":
		var items []string
		if items, err = parseList(args[1]); err == nil {
			for i, item := range items {
				fmt.Printf("[%d] = {\n", i)
				if fakeStat(filepath.Join(at(0), item), false, "  ") != nil {
					fmt.Println("  st_dev: 0\n  st_ino: -1\n  st_mode: 0\n  st_uid: 0\n  st_gid: 0\n  st_size: 0")
				}
				fmt.Println("}")
			}
		}
	case "ls0":
		var entries []os.DirEntry
		if entries, err = os.ReadDir(at(0)); err == nil {
			var b strings.Builder
			for _, e := range entries {
				b.WriteString(e.Name() + "\x00")
			}
			err = os.WriteFile(args[1], []byte(b.String()), 0o600)
		}
	case "pread":
		var b []byte
		if b, err = os.ReadFile(at(0)); err == nil {
			count, _ := strconv.Atoi(args[1])
			offset, _ := strconv.Atoi(args[2])
			os.Stdout.Write(b[offset:min(len(b), offset+count)])
		}
	case "download":
		var b []byte
		if b, err = os.ReadFile(at(0)); err == nil {
			err = os.WriteFile(args[1], b, 0o600)
		}
	case "write":
		err = os.WriteFile(at(0), []byte(args[1]), 0o600)
	case "write-append":
		var f *os.File
		if f, err = os.OpenFile(at(0), os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			f.WriteString(args[1])
			err = f.Close()
		}
	case "upload":
		var b []byte
		if b, err = os.ReadFile(args[0]); err == nil {
			err = os.WriteFile(at(1), b, 0o600)
		}
	case "rename":
		if strings.HasSuffix(args[1], "/unmovable") {
			err = syscall.EIO
		} else {
			err = os.Rename(at(0), at(1))
		}
	case "mkdir-p":
		err = os.MkdirAll(at(0), 0o755)
	case "rm-f":
		if err = os.Remove(at(0)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	case "chmod":
		mode, _ := strconv.ParseUint(args[0], 8, 32)
		err = os.Chmod(at(1), os.FileMode(mode))
	case "chown", "lchown":
	case "ln-s":
		err = os.Symlink(args[0], at(1))
	case "readlink":
		var l string
		l, err = os.Readlink(at(0))
		fmt.Println(l)
	case "pread-device":
		bits := map[string]byte{"/dev/unclean": 0x46, "/dev/clean": 0x42}[args[0]]
		os.Stdout.Write([]byte{bits, 2, 0, 0})
	case "command":
		var items []string
		if items, err = parseList(args[0]); err == nil {
			c := exec.Command(items[0], items[1:]...)
			c.Stdout = os.Stdout
			err = c.Run()
		}
	case "statvfs":
		fmt.Println("bsize: 4096\nfrsize: 4096\nbavail: 1000")
	default:
		fmt.Fprintf(os.Stderr, "%s: unknown command\n", name)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		text := errno.Error()
		failed(args[0] + ": " + strings.ToUpper(text[:1]) + text[1:])
	} else if err != nil {
		failed(err.Error())
	}
}

func fakeStat(name string, follow bool, indent string) error {
	var st syscall.Stat_t
	call := syscall.Lstat
	if follow {
		call = syscall.Stat
	}
	if err := call(name, &st); err != nil {
		return err
	}
	fmt.Printf("%[1]sst_dev: %[2]d\n%[1]sst_ino: %[3]d\n%[1]sst_mode: %[4]d\n%[1]sst_uid: %[5]d\n%[1]sst_gid: %[6]d\n%[1]sst_size: %[7]d\n",
		indent, st.Dev, st.Ino, st.Mode, st.Uid, st.Gid, st.Size)
	return nil
}

// startChild stands for qemu.
func startChild() int {
	c := exec.Command("sleep", "3600")
	if err := c.Start(); err != nil {
		os.Exit(4)
	}
	return c.Process.Pid
}

// parseLine is a model of guestfish's parser (fish/fish.c: parse_command_line and parse_quoted_string), which knows no more than this
// package writes.
func parseLine(line string) (name string, args []string, err error) {
	if len(line) > 8190 {
		return "", nil, errors.New("the line does not fit into the buffer")
	}
	line = strings.TrimPrefix(strings.TrimLeft(line, " \t"), "-")
	if line == "" || strings.ContainsAny(line[:1], "!#<-") {
		return "", nil, errors.New("not a command")
	}
	name, rest, _ := strings.Cut(line, " ")
	for rest = strings.TrimLeft(rest, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		if len(args) == 64 {
			return "", nil, errors.New("too many arguments")
		}
		if rest[0] != '"' {
			var word string
			if strings.ContainsAny(rest[:1], "'|~") {
				return "", nil, errors.New("not written by this package")
			}
			word, rest, _ = strings.Cut(rest, " ")
			args = append(args, word)
			continue
		}
		var word []byte
		i := 1
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] != '\\' {
				word = append(word, rest[i])
				continue
			}
			switch {
			case i+3 < len(rest) && rest[i+1] == 'x':
				c, err := strconv.ParseUint(rest[i+2:i+4], 16, 8)
				if err != nil || c == 0 {
					return "", nil, errors.New("invalid escape sequence in string")
				}
				word = append(word, byte(c))
				i += 3
			case i+1 < len(rest) && rest[i+1] == 'n':
				word = append(word, '\n')
				i++
			default:
				return "", nil, errors.New("invalid escape sequence in string")
			}
		}
		if i == len(rest) {
			return "", nil, errors.New("unterminated double quote")
		}
		args, rest = append(args, string(word)), rest[i+1:]
		if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			return "", nil, errors.New("command arguments not separated by whitespace")
		}
	}
	return name, args, nil
}

// parseList is a model of parse_string_list: words between blanks, of parts in single quotes and others; a single quote after a
// backslash means itself, in both.
func parseList(s string) ([]string, error) {
	var items []string
	p := 0
	for p < len(s) {
		for p < len(s) && (s[p] == ' ' || s[p] == '\t') {
			p++
		}
		var word []byte
		any, quoted := false, false
		for p < len(s) && (quoted || s[p] != ' ' && s[p] != '\t') {
			any = true
			end := p
			if s[p] == '\'' {
				quoted = !quoted
				p++
				end++
			}
			stop := "'"
			if !quoted {
				stop = " \t'"
			}
			if n := strings.IndexAny(s[end:], stop); n >= 0 {
				end += n
			} else {
				end = len(s)
			}
			if end < len(s) && s[end] == '\'' && end != p && s[end-1] == '\\' {
				word = append(append(word, s[p:end-1]...), '\'')
				p = end + 1
				continue
			}
			word = append(word, s[p:end]...)
			p = end
		}
		if quoted {
			return nil, errors.New("runaway quote")
		}
		if any {
			items = append(items, string(word))
		}
	}
	return items, nil
}
