package disk

import "io"

// SectionFile returns a range of a larger file, a member of an archive, as a File. It reads r at off and sees size bytes.
// Closing it closes closer, which may be nil.
func SectionFile(name string, r io.ReaderAt, off, size int64, closer io.Closer) File {
	return &sectionFile{SectionReader: io.NewSectionReader(r, off, size), name: name, closer: closer}
}

type sectionFile struct {
	*io.SectionReader
	name   string
	closer io.Closer
}

func (s *sectionFile) Name() string { return s.name }

func (s *sectionFile) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}
