package qcow2

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// deflateWindow is how far back the default deflate level refers. qemu writes no further, and although its reader and RFC 1951 allow
// 32 KiB, a reader that gives its inflater the window that qemu writes is not wrong to do so.
const deflateWindow = 4096

// errNoGain stops a compressor whose output is as long as the cluster.
var errNoGain = errors.New("does not shrink")

// encoder compresses clusters. Safe for concurrent use.
//
// Level 0 of zlib is a fast search within deflateWindow: on programs and texts three per cent larger than qemu's output and four
// times as fast. Levels 1 to 9 search 32 KiB back: smaller at the same speed, for whoever knows the readers.
// Levels of zstd are those of the reference program, mapped to the four that the library has.
type encoder struct {
	kind   byte // compression type of the header
	size   int  // of a cluster
	pool   *sync.Pool
	zstd   *zstd.Encoder
	packed bool // false: store all clusters plain
}

// deflater is what one goroutine uses for one cluster.
type deflater struct {
	w   *flate.Writer
	out bounded
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
		e.pool = &sync.Pool{New: func() any { return newDeflater(o.Level) }}
	case "zstd":
		if o.Level < 0 || o.Level > 22 {
			return e, fmt.Errorf("zstd level %d; it must be 1 to 22, or 0 for the default", o.Level)
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
		e.kind, e.zstd = compressionZstd, z
	default:
		return e, fmt.Errorf("compression %q; zlib and zstd are written", o.Compression)
	}
	return e, nil
}

// newDeflater returns a compressor for a checked level.
func newDeflater(level int) *deflater {
	d := &deflater{}
	if level == 0 {
		d.w, _ = flate.NewWriterWindow(&d.out, deflateWindow)
	} else {
		d.w, _ = flate.NewWriter(&d.out, level)
	}
	return d
}

// encode compresses one cluster. What does not shrink, and everything without compression, comes back as it is; a last chunk
// that is shorter than a cluster is filled up with zeroes, as the content behind the end of the disk.
func (e *encoder) encode(dst, src []byte) ([]byte, error) {
	if len(src) < e.size {
		padded := make([]byte, e.size)
		copy(padded, src)
		src = padded
	}
	if !e.packed {
		return src, nil
	}
	var out []byte
	var err error
	if e.zstd != nil {
		out = e.zstd.EncodeAll(src, dst[:0])
	} else {
		out, err = e.deflate(dst, src)
	}
	switch {
	case errors.Is(err, errNoGain), err == nil && len(out) >= e.size:
		return src, nil
	case err != nil:
		return nil, fmt.Errorf("qcow2: compress: %w", err)
	}
	return out, nil
}

func (e *encoder) deflate(dst, src []byte) ([]byte, error) {
	d := e.pool.Get().(*deflater)
	defer e.pool.Put(d)
	d.out = bounded{b: dst[:0], max: e.size - 1}
	d.w.Reset(&d.out)
	_, err := d.w.Write(src)
	if err == nil {
		err = d.w.Close()
	}
	out := d.out.b
	d.out.b = nil
	return out, err
}

// bounded appends what is written and refuses more than max bytes.
type bounded struct {
	b   []byte
	max int
}

func (o *bounded) Write(p []byte) (int, error) {
	if len(p) > o.max-len(o.b) {
		return 0, errNoGain
	}
	o.b = append(o.b, p...)
	return len(p), nil
}
