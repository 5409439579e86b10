package convert

import (
	"context"
	"errors"
)

// Opened is everything that a job reads, open.
type Opened struct {
	Sources []Source
}

// Close releases all of it.
func (o *Opened) Close() {
	for _, s := range o.Sources {
		s.Image.Close()
	}
}

// Gather opens what the job's source means.
func Gather(ctx context.Context, req Request) (*Opened, Facts, error) {
	return nil, Facts{}, errors.New("sources cannot be opened before the formats are there")
}
