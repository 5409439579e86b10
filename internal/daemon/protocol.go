package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
)

// ProtocolVersion is the v of every message between the daemon and the child that runs a job. Both are the same binary; the
// number guards against a daemon whose file was replaced by an upgrade while it runs.
const ProtocolVersion = 1

// MaxMessage bounds one message of a child. A report of a VM with hundreds of disks stays far below it.
const MaxMessage = 16 << 20

// The types of messages. The daemon sends job first, then granted, denied and placed as answers; the child sends the others.
const (
	msgJob      = "job"
	msgGranted  = "granted"
	msgDenied   = "denied"
	msgPlaced   = "placed"
	msgStage    = "stage"
	msgProgress = "progress"
	msgLog      = "log"
	msgWarning  = "warning"
	msgReserve  = "reserve"
	msgAdmit    = "admit" // with 0 MiB the child gives back what it has
	msgPlace    = "place"
	msgResult   = "result"
)

// stageStart is the status of a stage message that begins a stage; the others are manifest's Stage constants.
const stageStart = "start"

// message is one line of JSON in either direction; only the fields of its type are set.
type message struct {
	V    int    `json:"v"`
	Type string `json:"type"`

	Request *convert.Request  `json:"request,omitempty"` // job
	Sandbox bool              `json:"sandbox,omitempty"` // job: the child is to confine itself
	Dir     string            `json:"dir,omitempty"`     // placed
	Denied  *manifest.Failure `json:"denied,omitempty"`  // denied

	Stage   string            `json:"stage,omitempty"` // stage, progress, log
	Index   int               `json:"index,omitempty"`
	Count   int               `json:"count,omitempty"`
	Status  string            `json:"status,omitempty"`
	Text    string            `json:"text,omitempty"`
	Took    time.Duration     `json:"took_ns,omitempty"`
	Done    int64             `json:"done,omitempty"`
	Total   int64             `json:"total,omitempty"`
	Warning *manifest.Warning `json:"warning,omitempty"`

	Needs []convert.SpaceNeed `json:"needs,omitempty"` // reserve
	Name  string              `json:"name,omitempty"`  // place: the VM's name
	MiB   int64               `json:"mib,omitempty"`   // admit
	KVM   bool                `json:"kvm,omitempty"`   // granted, for admit; Text says why not

	Report  *manifest.Report  `json:"report,omitempty"`  // result
	Failure *manifest.Failure `json:"failure,omitempty"` // result of a job that failed
}

// sender writes messages as lines, one at a time.
type sender struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sender) send(m message) error {
	m.V = ProtocolVersion
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.w.Write(append(b, '\n'))
	return err
}

// errVersion says that the other side is another version of the program.
var errVersion = errors.New("the program was replaced while it ran; restart hyper2kvmd")

// parseMessage reads one line.
func parseMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, fmt.Errorf("message of a job: %w", err)
	}
	if m.V != ProtocolVersion {
		return message{}, fmt.Errorf("message of a job has version %d, want %d: %w", m.V, ProtocolVersion, errVersion)
	}
	return m, nil
}
