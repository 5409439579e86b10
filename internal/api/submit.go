package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// submitDoc is the answer of submit: the three fields that existing clients read, and how to find the job.
type submitDoc struct {
	Success      bool     `json:"success"`
	ManifestPath string   `json:"manifest_path"`
	JobID        string   `json:"job_id"` // the stem of the entry's name, as the records have it
	ID           string   `json:"id"`     // names the job in paths
	VMs          []string `json:"vms"`
	WaitsFor     []string `json:"waits_for"` // files that it names and that are not in the drop zone
	Warnings     []string `json:"warnings"`
	Replayed     bool     `json:"replayed"` // the key was used before for this very manifest: nothing was submitted now
}

// submit puts a manifest into the queue.
func (s *Server) submit(w http.ResponseWriter, r *http.Request) error {
	in := r.URL.Query()
	if err := known(in, "name"); err != nil {
		return err
	}
	p, err := readManifest(w, r)
	if err != nil {
		return err
	}
	if err := p.invalid(); err != nil {
		return err
	}
	key := r.Header.Get("Idempotency-Key")
	if err := checkKey(key); err != nil {
		return err
	}
	name, err := p.entryName(in.Get("name"), key)
	if err != nil {
		return err
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	d, err := s.keys.once(key, p.content, func() (submitDoc, error) {
		if key != "" {
			if d, ok, err := s.before(ctx, name, p); ok || err != nil {
				return d, err
			}
		}
		sub, err := s.o.Spool.Submit(ctx, []queue.Source{{Name: name, Content: bytes.NewReader(p.content)}}, queue.SubmitOptions{Via: queue.ViaAPI})
		if err != nil {
			return submitDoc{}, unwritable(err, s.o.Spool.Dir())
		}
		return s.newSubmitDoc(sub.Name, p), nil
	})
	if err != nil {
		return err
	}
	note(r, "entry", filepath.Base(d.ManifestPath), "replayed", d.Replayed)
	w.Header().Set("Location", "/api/workflow/jobs/"+url.PathEscape(d.ID))
	return reply(w, d)
}

func (s *Server) newSubmitDoc(name string, p posted) submitDoc {
	drop := filepath.Join(s.o.Spool.Dir(), queue.DirQueued)
	d := submitDoc{
		Success: true, ManifestPath: filepath.Join(drop, name), JobID: queue.JobIDOf(name), ID: name, VMs: []string{},
		WaitsFor: []string{}, Warnings: []string{},
	}
	for _, draft := range p.drafts {
		d.VMs = append(d.VMs, draft.Name)
		for _, in := range draft.Inputs() {
			top, _, _ := strings.Cut(in, "/")
			if filepath.IsAbs(in) || queue.CheckKey(top) != nil {
				continue
			}
			if _, err := os.Lstat(filepath.Join(drop, top)); errors.Is(err, fs.ErrNotExist) {
				d.WaitsFor = append(d.WaitsFor, in)
			}
		}
	}
	for _, problem := range p.problems {
		d.Warnings = append(d.Warnings, problem.String())
	}
	return d
}

// unwritable says that the server's user may not write to the drop zone.
func unwritable(err error, dir string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return newProblem(http.StatusInternalServerError, manifest.CodeAPIInternal, "hyperctl serve may not write to %s", filepath.Join(dir, queue.DirQueued)).
		hint("put its user into the group of the workflow directory and start it again")
}

// keyMark is how many characters of a key's hash stand in the name of an entry, by which the submission is known again even by a
// server that was started anew.
const keyMark = 12

// entryName is the name that a manifest gets in the drop zone: the wanted one, or that of its VM, and the mark of its key.
func (p posted) entryName(wanted, key string) (string, error) {
	stem := wanted
	if stem == "" && len(p.drafts) > 0 {
		stem = p.drafts[0].Name
	}
	if stem = strings.TrimSuffix(stem, p.ext); stem == "" {
		stem = "manifest"
	}
	if err := manifest.ValidName(stem); err != nil {
		if wanted != "" {
			return "", badRequest("name is no name for a job: %s", err)
		}
		stem = "manifest"
	}
	if key != "" {
		sum := sha256.Sum256([]byte(key))
		stem += "-" + hex.EncodeToString(sum[:])[:keyMark]
	}
	name := stem + p.ext
	if err := queue.CheckKey(name); err != nil {
		return "", badRequest("name is no name for a job: %s", printable(err.Error()))
	}
	return name, nil
}

// before finds what an earlier run of the server submitted with the same key.
func (s *Server) before(ctx context.Context, name string, p posted) (submitDoc, bool, error) {
	j, err := s.dir.Find(ctx, name)
	if errors.Is(err, queue.ErrNotFound) {
		return submitDoc{}, false, nil
	}
	if err != nil {
		return submitDoc{}, false, err
	}
	if b, err := jobs.ReadReport(j.Path); err == nil && !bytes.Equal(b, p.content) {
		return submitDoc{}, false, keyTaken()
	}
	d := s.newSubmitDoc(name, p)
	d.Replayed, d.ManifestPath, d.ID, d.WaitsFor = true, j.Path, jobKey(j), []string{}
	return d, true, nil
}

// Limits of idempotency keys.
const (
	maxKey  = 128 // bytes
	maxKeys = 10_000
	keyTime = 24 * time.Hour // after that only the name of the entry tells
)

func checkKey(key string) error {
	if len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return badRequest("Idempotency-Key is at most %d visible ASCII characters", maxKey)
	}
	return nil
}

func keyTaken() *problem {
	return newProblem(http.StatusUnprocessableEntity, manifest.CodeAPIKey, "the Idempotency-Key was used for another manifest")
}

// keys remembers what was submitted with which key.
type keys struct {
	now func() time.Time

	mu   sync.Mutex // held while something with a key is submitted: two requests with one key come one after the other
	used map[[sha256.Size]byte]usedKey
}

type usedKey struct {
	body [sha256.Size]byte
	doc  submitDoc
	at   time.Time
}

func newKeys(now func() time.Time) *keys {
	return &keys{now: now, used: map[[sha256.Size]byte]usedKey{}}
}

// once calls submit unless the key was used before; then the answer is the same. Without a key it always does.
func (k *keys) once(key string, body []byte, submit func() (submitDoc, error)) (submitDoc, error) {
	if key == "" {
		return submit()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	hash, sum := sha256.Sum256([]byte(key)), sha256.Sum256(body)
	if u, ok := k.used[hash]; ok && k.now().Sub(u.at) < keyTime {
		if u.body != sum {
			return submitDoc{}, keyTaken()
		}
		u.doc.Replayed = true
		return u.doc, nil
	}
	d, err := submit()
	if err != nil {
		return submitDoc{}, err
	}
	if len(k.used) >= maxKeys {
		for old, u := range k.used {
			if k.now().Sub(u.at) >= keyTime || len(k.used) >= maxKeys {
				delete(k.used, old)
			}
		}
	}
	k.used[hash] = usedKey{sum, d, k.now()}
	return d, nil
}
