package formats

import "bytes"

// Why a file is not read, and what to do about it.
const (
	adviceConvert = "which this program does not read; convert it with the program that made it"
	adviceUnpack  = "which may hold a disk and is none; unpack it first"
)

// qcow1Magic begins an image of QEMU's first format, which shares its first four bytes with qcow2.
const qcow1Magic = "QFI\xfb\x00\x00\x00\x01"

// refused are the formats that are known by name only, so that their bytes are never taken for the content of a raw disk.
func refused() []format {
	named := func(name, title, ext, advice string, match func(*sample) bool) format {
		f := format{Format: Format{Name: name, Title: title}, match: match, advice: advice}
		if ext != "" {
			f.Extensions = []string{ext}
		}
		return f
	}
	head := func(magics ...string) func(*sample) bool {
		return func(s *sample) bool {
			for _, m := range magics {
				if s.at(0, m) {
					return true
				}
			}
			return false
		}
	}
	return []format{
		named("qcow", "qcow version 1 image", "qcow", adviceConvert, head(qcow1Magic)),
		named("qcow2", "qcow image of an unknown version", "qcow2", adviceConvert, head("QFI\xfb")),
		named("qed", "QED image", "qed", adviceConvert, head("QED\x00")),
		named("parallels", "Parallels image", "hdd", adviceConvert, head("WithoutFreeSpace", "WithouFreSpacExt")),
		named("dmg", "Apple disk image", "dmg", adviceConvert, func(s *sample) bool {
			return len(s.tail) == tailSize && bytes.HasPrefix(s.tail, []byte("koly\x00\x00\x00\x04"))
		}),
		named("bochs", "Bochs image", "", adviceConvert, head("Bochs Virtual HD Image")),
		named("cloop", "compressed loop image", "cloop", adviceUnpack, head("#!/bin/sh\n#V2.0 Format\n")),
		named("ewf", "EnCase evidence image", "e01", adviceConvert, head("EVF\x09\x0d\x0a\xff\x00", "EVF2\x0d\x0a\x81\x00")),
		named("wim", "Windows imaging archive", "wim", adviceUnpack, head("MSWIM\x00\x00\x00")),
		named("luks", "LUKS encrypted volume", "luks", "which this program does not read; decrypt it first, or name the format raw to convert it encrypted as it is",
			head("LUKS\xba\xbe")),
		named("gzip", "file compressed with gzip", "gz", adviceUnpack, head("\x1f\x8b\x08")),
		named("bzip2", "file compressed with bzip2", "bz2", adviceUnpack, func(s *sample) bool {
			return s.at(0, "BZh") && (s.at(4, "1AY&SY") || s.at(4, "\x17\x72\x45\x38\x50\x90"))
		}),
		named("xz", "file compressed with xz", "xz", adviceUnpack, head("\xfd7zXZ\x00")),
		named("zstd", "file compressed with zstd", "zst", adviceUnpack, head("\x28\xb5\x2f\xfd")),
		named("lz4", "file compressed with lz4", "lz4", adviceUnpack, head("\x04\x22\x4d\x18")),
		named("zip", "zip archive", "zip", adviceUnpack, head("PK\x03\x04", "PK\x05\x06")),
		named("7z", "7-Zip archive", "7z", adviceUnpack, head("7z\xbc\xaf\x27\x1c")),
		named("tar", "tar archive (an OVA is one)", "ova", "which holds disks and is none; submit it as an OVA, or unpack it",
			func(s *sample) bool { return s.at(257, "ustar\x00") || s.at(257, "ustar  \x00") }),
	}
}
