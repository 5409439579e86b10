package initramfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// A unified kernel image is a program for the firmware whose sections hold a kernel and what belongs to it (UAPI group, UKI
// specification). The layout is that of Microsoft's "PE Format".
const (
	peOffsetAt    = 0x3c // in the MZ header: where the PE header is
	peCoff        = 24   // signature and COFF header
	peSection     = 40   // one entry of the section table
	peMaxSections = 96   // what the Windows loader takes; a unified image has a dozen
	peMaxText     = 64 << 10
)

// Unified is what a unified kernel image tells beside its initramfs.
type Unified struct {
	Version string // of the kernel: .uname
	Cmdline string // .cmdline
	Initrd  *io.SectionReader
}

// ReadUnified reads the sections of a unified kernel image of size bytes. A file that is none, or has no initramfs, is an ErrFormat.
func ReadUnified(r io.ReaderAt, size int64) (Unified, error) {
	var b [64]byte
	n, err := readSome(r, b[:], 0, size)
	if err != nil {
		return Unified{}, err
	}
	if n < len(b) || b[0] != 'M' || b[1] != 'Z' {
		return Unified{}, fmt.Errorf("%w: not a program for UEFI", ErrFormat)
	}
	at := int64(binary.LittleEndian.Uint32(b[peOffsetAt:]))
	if n, err = readSome(r, b[:peCoff], at, size); err != nil {
		return Unified{}, err
	}
	if n < peCoff || string(b[:4]) != "PE\x00\x00" {
		return Unified{}, fmt.Errorf("%w: no PE header at %#x", ErrFormat, at)
	}
	sections := int(binary.LittleEndian.Uint16(b[6:]))
	if sections > peMaxSections {
		return Unified{}, fmt.Errorf("%w: %d sections of a program; %d are allowed", ErrLimit, sections, peMaxSections)
	}
	at += peCoff + int64(binary.LittleEndian.Uint16(b[20:]))
	var u Unified
	for range sections {
		if n, err = readSome(r, b[:peSection], at, size); err != nil {
			return Unified{}, err
		}
		if n < peSection {
			return Unified{}, damaged(at, io.EOF)
		}
		at += peSection
		if err := u.section(r, b[:peSection], size); err != nil {
			return Unified{}, err
		}
	}
	if u.Initrd == nil {
		return Unified{}, fmt.Errorf("%w: a program without a section .initrd", ErrFormat)
	}
	return u, nil
}

// section takes one section of interest.
func (u *Unified) section(r io.ReaderAt, h []byte, size int64) error {
	name := strings.TrimRight(string(h[:8]), "\x00")
	length, off := int64(binary.LittleEndian.Uint32(h[8:])), int64(binary.LittleEndian.Uint32(h[20:]))
	if raw := int64(binary.LittleEndian.Uint32(h[16:])); length == 0 || raw < length {
		length = raw
	}
	switch name {
	case ".initrd":
		if off+length > size {
			return damaged(off, io.EOF)
		}
		u.Initrd = io.NewSectionReader(r, off, length)
	case ".uname", ".cmdline":
		b := make([]byte, min(length, peMaxText))
		n, err := readSome(r, b, off, size)
		if err != nil {
			return err
		}
		text := strings.TrimRight(string(b[:n]), "\x00\n ")
		if name == ".uname" {
			u.Version = text
		} else {
			u.Cmdline = text
		}
	}
	return nil
}
