package boottest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	screenName = "screen.png"
	screenTime = 10 * time.Second
	// maxPixels is the largest screen that is taken: 4096 by 2160 and more. A guest chooses the mode.
	maxPixels = 16 << 20
)

// screenshot asks the VM for its screen and keeps it as a PNG in dir. dump is a scratch file. qemu writes PNG too where it was built
// so; PPM it always writes.
func (v *vm) screenshot(ctx context.Context, dump, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, screenTime)
	defer cancel()
	if err := v.monitor.do(ctx, "screendump", map[string]any{"filename": dump}); err != nil {
		return err
	}
	f, err := os.Open(dump)
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := decodePPM(f)
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(dir, screenName))
	if err != nil {
		return err
	}
	err = png.Encode(out, img)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// decodePPM reads a picture of type P6 with one byte a sample (netpbm, ppm(5)), without comments, as qemu writes it.
func decodePPM(r io.Reader) (image.Image, error) {
	in := bufio.NewReader(r)
	var width, height, most int
	if _, err := fmt.Fscanf(in, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil {
		return nil, fmt.Errorf("the screen is not a PPM: %w", err)
	}
	if width < 1 || height < 1 || most != 255 || width > maxPixels || height > maxPixels/width {
		return nil, fmt.Errorf("the screen is a PPM of %d by %d with %d levels", width, height, most)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	row := make([]byte, 3*width)
	for y := range height {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, errors.Join(errors.New("the picture of the screen is cut short"), err)
		}
		for x := range width {
			i := img.PixOffset(x, y)
			copy(img.Pix[i:i+3], row[3*x:])
			img.Pix[i+3] = 0xff
		}
	}
	return img, nil
}
