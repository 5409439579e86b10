package web_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"hyper2kvm/web"
)

// Whatever the page loads is there, plain and packed, and the page obeys the policy that the server sends with it.
func TestFilesOfThePage(t *testing.T) {
	files := web.Files()
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range regexp.MustCompile(`<(script|style|link|meta property)[^>]*>`).FindAllString(string(page), -1) {
		if strings.HasPrefix(tag, "<style") || strings.HasPrefix(tag, "<script") && !strings.Contains(tag, " src=") {
			t.Errorf("the policy of the page forbids %s", tag)
		}
		if strings.Contains(tag, "nonce=") && !strings.Contains(tag, `nonce="__CSP_NONCE__"`) {
			t.Errorf("the server does not find the place for its nonce in %s", tag)
		}
	}
	if !bytes.Contains(page, []byte(`property="csp-nonce"`)) {
		t.Error("the editor does not find its nonce")
	}
	names := regexp.MustCompile(`(?:src|href)="/web/dashboard/([^"]+)"`).FindAllSubmatch(page, -1)
	if len(names) < 3 {
		t.Fatalf("the page loads %d files", len(names))
	}
	for _, m := range names {
		name := string(m[1])
		plain, err := fs.ReadFile(files, name)
		if err != nil {
			t.Error(err)
			continue
		}
		f, err := files.Open(name + ".gz")
		if err != nil {
			t.Error(err)
			continue
		}
		r, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(name, err)
		}
		b, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(b, plain) {
			t.Errorf("%s.gz holds something else than %s (%v)", name, name, err)
		}
	}
}

func TestNothingElseIsThere(t *testing.T) {
	for _, name := range []string{"package.json", "assets/none.js", "assets/none.js.gz", "../embed.go", "../embed.go.gz", "assets.gz"} {
		if f, err := web.Files().Open(name); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}
