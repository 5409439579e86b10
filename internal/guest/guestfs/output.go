package guestfs

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// firstLine is the first line of what a command printed.
func firstLine(out []byte) string {
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// parseFields reads a struct of numbers as guestfish prints it: a line "name: value" each.
func parseFields(out []byte) (map[string]string, error) {
	fields := map[string]string{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("guestfs: %.100q is no field of a struct", line)
		}
		fields[name] = strings.TrimSpace(value)
	}
	return fields, nil
}

// parseStructs reads a list of structs as guestfish prints it: "[0] = {", indented fields, "}".
func parseStructs(out []byte) ([]map[string]string, error) {
	var list []map[string]string
	var body []byte
	open := false
	for line := range bytes.Lines(out) {
		switch text := string(bytes.TrimRight(line, "\n")); {
		case !open && text == fmt.Sprintf("[%d] = {", len(list)):
			open, body = true, nil
		case open && text == "}":
			fields, err := parseFields(body)
			if err != nil {
				return nil, err
			}
			list, open = append(list, fields), false
		case open:
			body = append(body, line...)
		case strings.TrimSpace(text) != "":
			return nil, fmt.Errorf("guestfs: %.100q stands between structs", text)
		}
	}
	if open {
		return nil, fmt.Errorf("guestfs: struct %d has no end", len(list))
	}
	return list, nil
}

// parseInfo makes an Info of a statns struct. A file that is not there has the inode -1 in a list.
func parseInfo(fields map[string]string) (info guest.Info, there bool, err error) {
	number := func(name string) int64 {
		n, perr := strconv.ParseInt(fields[name], 10, 64)
		if perr != nil && err == nil {
			err = fmt.Errorf("guestfs: %s of a file is %.40q", name, fields[name])
		}
		return n
	}
	inode, mode := number("st_ino"), number("st_mode")
	info = guest.Info{
		Mode: fileMode(uint32(mode & 0xffff)), UID: int(number("st_uid")), GID: int(number("st_gid")), Size: number("st_size"),
		Inode: uint64(inode), Dev: uint64(number("st_dev")),
	}
	if err == nil && inode == -1 {
		return guest.Info{}, false, nil
	}
	if err == nil && (mode < 0 || mode > 0xffff || info.Size < 0) {
		err = fmt.Errorf("guestfs: a file has the mode %#o and the size %d", mode, info.Size)
	}
	if err != nil {
		return guest.Info{}, false, err
	}
	return info, true, nil
}

// Types and bits of st_mode (inode(7)).
const (
	modeType = 0o170000
	modeSock = 0o140000
	modeLink = 0o120000
	modeReg  = 0o100000
	modeBlk  = 0o060000
	modeDir  = 0o040000
	modeChr  = 0o020000
	modeFIFO = 0o010000
	modeSUID = 0o4000
	modeSGID = 0o2000
	modeVTX  = 0o1000
)

// fileMode translates st_mode.
func fileMode(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & modeType {
	case modeReg:
	case modeDir:
		mode |= fs.ModeDir
	case modeLink:
		mode |= fs.ModeSymlink
	case modeChr:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case modeBlk:
		mode |= fs.ModeDevice
	case modeFIFO:
		mode |= fs.ModeNamedPipe
	case modeSock:
		mode |= fs.ModeSocket
	default:
		mode |= fs.ModeIrregular
	}
	return mode | bits(m, modeSUID, fs.ModeSetuid) | bits(m, modeSGID, fs.ModeSetgid) | bits(m, modeVTX, fs.ModeSticky)
}

func bits(m, bit uint32, to fs.FileMode) fs.FileMode {
	if m&bit != 0 {
		return to
	}
	return 0
}

// permissions writes what chmod takes.
func permissions(mode fs.FileMode) string {
	m := uint32(mode.Perm())
	for bit, from := range map[uint32]fs.FileMode{modeSUID: fs.ModeSetuid, modeSGID: fs.ModeSetgid, modeVTX: fs.ModeSticky} {
		if mode&from != 0 {
			m |= bit
		}
	}
	return fmt.Sprintf("0%o", m)
}

// parsePairs reads a line of lsblk -P: NAME="value" pairs, in which what is not printable stands as \xHH.
func parsePairs(line string) (map[string]string, error) {
	pairs := map[string]string{}
	rest := strings.TrimSpace(line)
	for rest != "" {
		name, value, ok := strings.Cut(rest, `="`)
		if !ok || strings.ContainsAny(name, `" `) {
			return nil, fmt.Errorf("guestfs: %.100q is no pair of a name and a value", rest)
		}
		value, after, ok := strings.Cut(value, `"`)
		if !ok || after != "" && after[0] != ' ' {
			return nil, fmt.Errorf("guestfs: the value of %.40q does not end as it should", name)
		}
		pairs[name] = unescape(value)
		rest = strings.TrimLeft(after, " ")
	}
	return pairs, nil
}

// unescape takes \xHH back.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+3 < len(s) && s[i] == '\\' && s[i+1] == 'x' {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
