package cutdisk

import (
	"math/rand/v2"
	"slices"
)

// Fate is what happens at a cut to the writes that no flush has covered yet.
type Fate int

// The fates, from the kindest disk to the least kind.
const (
	Kept      Fate = iota // all of them reached the disk
	Dropped               // none did
	Reordered             // any of them did, each whole
	Torn                  // any of them did, and some only in part: single sectors of them
	Fates                 // how many there are
)

// String names the fate.
func (f Fate) String() string {
	return [...]string{"kept", "dropped", "reordered", "torn"}[f]
}

// Replay builds the states of disks after cuts at ascending places of a journal. The writes before the last flush of a disk are
// always there.
type Replay struct {
	ops     []Op
	sector  int64 // bytes that a disk writes as one
	durable []*Image
	pending [][]Op // by disk: written, not flushed
	at      int
	marks   []any
}

// NewReplay begins with the disks as they were when the journal began. sector is what the disks write as one, in bytes.
func NewReplay(base []*Image, ops []Op, sector int64) *Replay {
	r := &Replay{ops: ops, sector: sector, pending: make([][]Op, len(base))}
	for _, m := range base {
		r.durable = append(r.durable, m.Clone())
	}
	return r
}

// Cut goes on to just before the n-th op, counted from 0, which is not before the last cut, and returns the disks as the power
// failure leaves them, the marks that were made before it, and how many writes had not been flushed. The result depends on r alone.
func (p *Replay) Cut(n int, fate Fate, r *rand.Rand) (disks []*Image, marks []any, unflushed int) {
	for ; p.at < n; p.at++ {
		p.advance(p.ops[p.at])
	}
	for i, m := range p.durable {
		m = m.Clone()
		for _, op := range p.pending[i] {
			p.strike(m, op, fate, r)
		}
		unflushed += len(p.pending[i])
		disks = append(disks, m)
	}
	return disks, slices.Clip(p.marks), unflushed
}

func (p *Replay) advance(op Op) {
	switch {
	case op.Mark != nil:
		p.marks = append(p.marks, op.Mark)
	case op.Flush:
		for _, w := range p.pending[op.Disk] {
			_, _ = p.durable[op.Disk].WriteAt(w.Data, w.Off) // it fitted when it was recorded
		}
		p.pending[op.Disk] = nil
	default:
		p.pending[op.Disk] = append(p.pending[op.Disk], op)
	}
}

// strike lets one unflushed write meet its fate. Writes that come later lie over it all the same: two to one place are one after the
// other in every disk's queue.
func (p *Replay) strike(m *Image, op Op, fate Fate, r *rand.Rand) {
	switch {
	case fate == Dropped, fate != Kept && r.IntN(2) == 0:
		return
	case fate == Torn && r.IntN(2) == 0:
		for at := int64(0); at < int64(len(op.Data)); at += p.sector {
			if r.IntN(2) == 0 {
				_, _ = m.WriteAt(op.Data[at:min(at+p.sector, int64(len(op.Data)))], op.Off+at)
			}
		}
		return
	}
	_, _ = m.WriteAt(op.Data, op.Off)
}
