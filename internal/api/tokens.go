package api

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Limits of a token file.
const (
	minToken     = 20 // characters: less could be guessed
	maxTokens    = 1000
	maxTokenLine = 4096
)

// hashPrefix begins a token that is written as its SHA-256, so that who reads the file cannot use it.
const hashPrefix = "sha256:"

// ParseTokens reads a token file. Each line is a role, read or full, a token of at least 20 characters or sha256: and the
// hexadecimal SHA-256 of one, and a name for the audit log, which may be left out. Empty lines and lines that begin with # are
// left out. Errors name the line and never show a token.
func ParseTokens(r io.Reader) (Tokens, error) {
	tokens := Tokens{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTokenLine)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(tokens) >= maxTokens {
			return nil, fmt.Errorf("line %d: more than %d tokens", n, maxTokens)
		}
		if len(words) < 2 || len(words) > 3 || words[0] != "read" && words[0] != "full" {
			return nil, fmt.Errorf("line %d: not of the form: read|full TOKEN [NAME]", n)
		}
		t := Token{Full: words[0] == "full", Name: fmt.Sprintf("%s token of line %d", words[0], n)}
		if len(words) == 3 {
			t.Name = printable(words[2])
		}
		switch hash, hashed := strings.CutPrefix(words[1], hashPrefix); {
		case hashed:
			b, err := hex.DecodeString(hash)
			if err != nil || len(b) != sha256.Size {
				return nil, fmt.Errorf("line %d: %s is followed by 64 hexadecimal digits", n, hashPrefix)
			}
			t.Hash = [sha256.Size]byte(b)
		case len(words[1]) < minToken:
			return nil, fmt.Errorf("line %d: the token has %d characters, at least %d are needed", n, len(words[1]), minToken)
		default:
			t.Hash = sha256.Sum256([]byte(words[1]))
		}
		tokens = append(tokens, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("a line of more than %d bytes, or the file cannot be read: %w", maxTokenLine, err)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("there is no token in it")
	}
	return tokens, nil
}
