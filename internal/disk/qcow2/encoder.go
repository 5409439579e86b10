package qcow2

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk/deflate"
	"hyper2kvm/internal/disk/zstdblock"
)

// Windows of deflate. qemu writes no further back than the first, and although its reader and RFC 1951 allow the second, a reader that
// gives its inflater the window that qemu writes is not wrong to do so.
const (
	safeWindow = 4 << 10
	wideWindow = 32 << 10
)

// encoder compresses clusters. Safe for concurrent use.
type encoder struct {
	kind   byte          // compression type of the header
	size   int           // of a cluster
	pool   *sync.Pool    // of clusterEncoders
	zstd   *zstd.Encoder // for levels of zstd, and for what is too large for the others
	packed bool          // false: store all clusters plain
}

// clusterEncoder compresses one cluster at a time, into at most limit bytes behind dst; false: it takes more.
type clusterEncoder interface {
	EncodeLimit(dst, src []byte, limit int) ([]byte, bool)
}

// deflateOptions returns what stands behind a level of zlib. On programs and texts 0 to 3 give five per cent more than qemu does, at
// more than four times its speed; 4 to 6 look further back, for whoever knows the readers: one per cent less than qemu, as fast;
// 7 to 9 also search longer: four per cent less, at more than twice the speed of qemu.
func deflateOptions(level int) deflate.Options {
	switch {
	case level <= 3:
		return deflate.Options{Level: deflate.Fast, Window: safeWindow}
	case level <= 6:
		return deflate.Options{Level: deflate.Fast, Window: wideWindow}
	}
	return deflate.Options{Level: deflate.Small, Window: wideWindow}
}

func newEncoder(o Options, size int) (encoder, error) {
	e := encoder{size: size, packed: o.Compression != ""}
	switch o.Compression {
	case "":
		if o.Level != 0 {
			return e, fmt.Errorf("level %d without compression", o.Level)
		}
	case "zlib":
		if o.Level < 0 || o.Level > 9 {
			return e, fmt.Errorf("zlib level %d; it must be 1 to 9, or 0 for the default", o.Level)
		}
		e.kind = compressionZlib
		first, err := deflate.NewEncoder(deflateOptions(o.Level))
		if err != nil {
			return e, err
		}
		e.pool = &sync.Pool{New: func() any {
			d, _ := deflate.NewEncoder(deflateOptions(o.Level)) // no error: it was good before
			return d
		}}
		e.pool.Put(first)
	case "zstd":
		if o.Level < 0 || o.Level > 22 {
			return e, fmt.Errorf("zstd level %d; it must be 1 to 22, or 0 for the default", o.Level)
		}
		e.kind = compressionZstd
		if o.Level == 0 && size <= zstdblock.MaxContent {
			e.pool = &sync.Pool{New: func() any { return zstdblock.NewEncoder() }}
			return e, nil
		}
		level := zstd.SpeedDefault
		if o.Level > 0 {
			level = zstd.EncoderLevelFromZstd(o.Level)
		}
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(size))
		if err != nil {
			return e, err
		}
		e.zstd = z
	default:
		return e, fmt.Errorf("compression %q; zlib and zstd are written", o.Compression)
	}
	return e, nil
}

// encode compresses one cluster. What does not shrink, and everything without compression, comes back as it is; a last chunk
// that is shorter than a cluster is filled up with zeroes, as the content behind the end of the disk.
func (e *encoder) encode(dst, src []byte) []byte {
	if len(src) < e.size {
		padded := make([]byte, e.size)
		copy(padded, src)
		src = padded
	}
	if !e.packed {
		return src
	}
	if e.zstd != nil {
		if out := e.zstd.EncodeAll(src, dst[:0]); len(out) < e.size {
			return out
		}
		return src
	}
	d := e.pool.Get().(clusterEncoder)
	defer e.pool.Put(d)
	if out, ok := d.EncodeLimit(dst[:0], src, e.size-1); ok {
		return out
	}
	return src
}
