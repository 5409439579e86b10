package vmdk

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// encodings are the character sets of names that descriptors state, by their names in lower case without punctuation.
var encodings = map[string]encoding.Encoding{
	"windows874": charmap.Windows874, "windows1250": charmap.Windows1250, "windows1251": charmap.Windows1251,
	"windows1252": charmap.Windows1252, "windows1253": charmap.Windows1253, "windows1254": charmap.Windows1254,
	"windows1255": charmap.Windows1255, "windows1256": charmap.Windows1256, "windows1257": charmap.Windows1257,
	"windows1258": charmap.Windows1258,
	"iso88591":    charmap.Windows1252, "latin1": charmap.Windows1252, "iso88592": charmap.ISO8859_2, "iso88595": charmap.ISO8859_5,
	"iso885915": charmap.ISO8859_15, "koi8r": charmap.KOI8R,
	"gbk": simplifiedchinese.GBK, "gb2312": simplifiedchinese.GBK, "windows936": simplifiedchinese.GBK, "gb18030": simplifiedchinese.GB18030,
	"big5": traditionalchinese.Big5, "windows950": traditionalchinese.Big5,
	"shiftjis": japanese.ShiftJIS, "sjis": japanese.ShiftJIS, "windows31j": japanese.ShiftJIS, "windows932": japanese.ShiftJIS,
	"eucjp": japanese.EUCJP, "euckr": korean.EUCKR, "ksc56011987": korean.EUCKR, "windows949": korean.EUCKR, "uhc": korean.EUCKR,
}

// encodingNamed returns the character set that a descriptor states. Where it states UTF-8, nothing, or what is not known, it
// is the one that VMware's programs on Windows take most.
func encodingNamed(name string) encoding.Encoding {
	key := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_ .:", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
	for _, prefix := range []string{"cp", "ms"} {
		if number, ok := strings.CutPrefix(key, prefix); ok {
			key = "windows" + number
		}
	}
	if e, ok := encodings[key]; ok {
		return e
	}
	return charmap.Windows1252
}

// Spellings returns the names that a file may have which the descriptor calls name, the likeliest first: the very bytes; the
// same name in UTF-8, if the bytes are in the encoding that the descriptor states; the same name in that encoding, if the
// descriptor was turned into UTF-8 and the files were not; then, where name is a path of Unix or Windows, the last element of
// each. Files that were moved or unpacked on another system keep their bytes or get UTF-8, and descriptors know nothing of it.
func (d *Descriptor) Spellings(name string) []string {
	if isASCII(name) {
		return plausible(name, baseName(name))
	}
	set := encodingNamed(d.Encoding)
	decoded, err := set.NewDecoder().String(name)
	if err != nil || strings.ContainsRune(decoded, utf8.RuneError) {
		decoded = ""
	}
	names := []string{name, decoded, encoded(set, name)}
	if decoded == "" || utf8.ValidString(name) {
		names = append(names, baseName(name), encoded(set, baseName(name)))
	}
	// In some sets half a character looks like a separator: only the decoded name can be cut.
	return plausible(append(names, baseName(decoded), encoded(set, baseName(decoded)))...)
}

// encoded returns a UTF-8 text in another encoding, or nothing if it has no place there.
func encoded(set encoding.Encoding, s string) string {
	if !utf8.ValidString(s) {
		return ""
	}
	out, err := set.NewEncoder().String(s)
	if err != nil {
		return ""
	}
	return out
}

// plausible returns the names that can be a file's, each once.
func plausible(names ...string) []string {
	var out []string
	for _, s := range names {
		if s != "" && s != "." && s != ".." && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// baseName returns what follows the last separator of a path of Unix or Windows.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}
