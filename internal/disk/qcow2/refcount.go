package qcow2

import (
	"encoding/binary"
	"math"

	"hyper2kvm/internal/disk"
)

// refcounts counts the host clusters of the file being written, in 16-bit counters (specification, "Host cluster management"). What
// begins the file (header, refcount table, L1 table) has its blocks right behind it; every later block is the first cluster of
// the range that it counts. So a block never changes once the file has grown past its range, and one is held in memory.
type refcounts struct {
	head   *header
	index  int64  // of the block in memory
	block  []byte // its counters
	prefix int64  // clusters before the first block
	first  int64  // blocks that stand right behind the prefix
}

const refcountBytes = 2 // of a counter of refcount_order 4

// prefixBlocks returns how many blocks it takes to count the first clusters of a file and these blocks themselves.
func prefixBlocks(clusters, perBlock int64) int64 {
	n := int64(1)
	for n*perBlock < clusters+n {
		n++
	}
	return n
}

// refTableClusters returns the clusters of a refcount table for the largest file that a disk can need: all data plain. Compressed
// clusters take less: a row of them, aligned at its end, is never longer than the same clusters plain.
func refTableClusters(h *header) uint32 {
	cs := h.clusterSize
	clusters := func(bytes int64) int64 { return (bytes + cs - 1) / cs }
	fixed := 1 + clusters(h.l1Needed*8) + 1 + clusters(int64(h.size)) + h.l1Needed
	table := int64(1)
	for {
		// Each block may cost a second cluster: the gap before it, where a compressed cluster did not fit.
		blocks := (fixed+table)/(h.refcountsPerBlock-2) + 2
		need := clusters(blocks * 8)
		if need <= table {
			return uint32(min(table, math.MaxUint32))
		}
		table = need
	}
}

// begin counts the clusters before out.at and those of the first blocks, which it puts there.
func (r *refcounts) begin(out *stream) error {
	h := r.head
	r.prefix = out.at >> h.clusterBits
	r.first = prefixBlocks(r.prefix, h.refcountsPerBlock)
	r.block = make([]byte, h.clusterSize)
	used := r.prefix + r.first
	for r.index = 0; ; r.index++ {
		n := min(used-r.index*h.refcountsPerBlock, h.refcountsPerBlock)
		clear(r.block)
		for i := range n {
			binary.BigEndian.PutUint16(r.block[refcountBytes*i:], 1)
		}
		if r.index == r.first-1 {
			return out.pad(h.clusterSize) // its place
		}
		if err := out.write(r.block); err != nil {
			return err
		}
	}
}

// position returns where block i stands.
func (r *refcounts) position(i int64) int64 {
	if i < r.first {
		return (r.prefix + i) << r.head.clusterBits
	}
	return i * r.head.refcountBlockCover
}

// end returns the offset at which the range of the current block ends.
func (r *refcounts) end() int64 { return (r.index + 1) * r.head.refcountBlockCover }

// next writes the current block and begins the next one at its place, which is where the file ends.
func (r *refcounts) next(out *stream) error {
	if err := out.flush(); err != nil {
		return err
	}
	if err := out.sink.Write("write refcount block", r.block, r.position(r.index)); err != nil {
		return err
	}
	clear(r.block)
	r.index++
	at := out.at
	if err := out.pad(r.head.clusterSize); err != nil {
		return err
	}
	return r.count(at, r.head.clusterSize)
}

// align ends the file at a cluster that can be given away.
func (r *refcounts) align(out *stream) error {
	cs := r.head.clusterSize
	if err := out.pad(-out.at & (cs - 1)); err != nil {
		return err
	}
	if out.at == r.end() {
		return r.next(out)
	}
	return nil
}

// room ends the file where n bytes, less than a cluster, can follow without meeting a refcount block, and without counting a
// cluster more often than a counter can.
func (r *refcounts) room(out *stream, n int64) error {
	if left := r.end() - out.at; left < n {
		if err := out.pad(left); err != nil {
			return err
		}
		return r.next(out)
	}
	if out.at&(r.head.clusterSize-1) != 0 && r.get(out.at) == math.MaxUint16 {
		return r.align(out)
	}
	return nil
}

func (r *refcounts) get(at int64) uint16 {
	return binary.BigEndian.Uint16(r.counter(at >> r.head.clusterBits))
}

// counter returns the counter of a host cluster in the range of the current block.
func (r *refcounts) counter(cluster int64) []byte {
	i := (cluster - r.index*r.head.refcountsPerBlock) * refcountBytes
	return r.block[i : i+refcountBytes]
}

// count adds one reference to each host cluster that n bytes at the offset touch.
func (r *refcounts) count(at, n int64) error {
	for c := at >> r.head.clusterBits; c<<r.head.clusterBits < at+n; c++ {
		b := r.counter(c)
		v := binary.BigEndian.Uint16(b)
		if v == math.MaxUint16 {
			return &disk.Error{Format: "qcow2", Op: "count references", Off: at, Kind: disk.ErrLimit, Detail: "more than 65535 to a cluster"}
		}
		binary.BigEndian.PutUint16(b, v+1)
	}
	return nil
}

// finish ends the file at a cluster, and writes the last block and the refcount table.
func (r *refcounts) finish(out *stream) error {
	if err := out.pad(-out.at & (r.head.clusterSize - 1)); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	if err := out.sink.Write("write refcount block", r.block, r.position(r.index)); err != nil {
		return err
	}
	table := make([]byte, (r.index+1)*8) // at most maxRefcountTableBytes
	for i := range r.index + 1 {
		binary.BigEndian.PutUint64(table[8*i:], uint64(r.position(i)))
	}
	return out.sink.Write("write refcount table", table, int64(r.head.refTableOffset))
}
