package boottest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	// maxMessage is the longest message of qemu that is read; those expected here have some hundred bytes.
	maxMessage = 1 << 20
	// sendTime is how long qemu may take to take a command.
	sendTime = 10 * time.Second
)

// event is what happened to the VM (QMP reference, "SHUTDOWN", "GUEST_PANICKED", "BLOCK_IO_ERROR").
type event struct {
	Name string `json:"event"`
	Data struct {
		Guest     bool   `json:"guest"`
		Reason    string `json:"reason"`    // guest-shutdown, guest-reset, guest-panic ...; the text of an error of a disk
		Operation string `json:"operation"` // of a disk: read, write
		NoSpace   bool   `json:"nospace"`   // the host has no room
	} `json:"data"`
}

// diskError is the name of the event that a read or write of a disk failed on the host.
const diskError = "BLOCK_IO_ERROR"

// monitor talks to a running qemu by the QEMU Machine Protocol: a JSON object a line, each way.
type monitor struct {
	conn    net.Conn
	events  chan event
	replies chan error    // of the command under way
	gone    chan struct{} // closed when nothing comes any more
}

var errMonitorGone = errors.New("the monitor is gone")

func newMonitor(conn net.Conn) *monitor {
	m := &monitor{conn: conn, events: make(chan event, 16), replies: make(chan error, 1), gone: make(chan struct{})}
	go m.read()
	return m
}

func (m *monitor) close() { _ = m.conn.Close() }

// read passes on what qemu says, until the connection ends.
func (m *monitor) read() {
	defer close(m.gone)
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		var msg struct {
			event
			Return json.RawMessage `json:"return"`
			Error  *struct {
				Desc string `json:"desc"`
			} `json:"error"`
		}
		if json.Unmarshal(lines.Bytes(), &msg) != nil {
			return
		}
		switch {
		case msg.Error != nil:
			m.reply(fmt.Errorf("qemu says %q", msg.Error.Desc))
		case msg.Return != nil:
			m.reply(nil)
		case msg.Name == "SHUTDOWN" || msg.Name == "GUEST_PANICKED" || msg.Name == diskError:
			select {
			case m.events <- msg.event:
			default: // the first ones decide
			}
		}
	}
}

func (m *monitor) reply(err error) {
	select {
	case m.replies <- err:
	default: // nobody asked
	}
}

// do gives a command and waits for its answer.
func (m *monitor) do(ctx context.Context, command string, arguments map[string]any) error {
	b, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if arguments == nil {
		b, err = json.Marshal(map[string]any{"execute": command})
	}
	if err != nil {
		return err
	}
	select {
	case <-m.replies: //nolint:errcheck // of a command that was given up
	default:
	}
	if err := m.conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return err
	}
	if _, err := m.conn.Write(append(b, '\n')); err != nil {
		return err
	}
	select {
	case err := <-m.replies:
		return err
	case <-m.gone:
		return errMonitorGone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
