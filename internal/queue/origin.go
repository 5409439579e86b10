package queue

import (
	"encoding/json"
	"os"
	"strconv"
)

// origin says for whom a part of a batch was made. The daemon owns the file, so that its owner says nothing; without this, a part
// of a stranger's batch would be trusted like the daemon's own. It is kept beside the drop zone by inode, and holds only as
// long as the file is the very one, which the daemon alone may write.
type origin struct {
	Ino       uint64 `json:"ino"`
	Size      int64  `json:"size"`
	MtimeNS   int64  `json:"mtime_ns"`
	Submitter uint32 `json:"submitter_uid"`
	Batch     string `json:"batch"`
}

func (s *Spool) originPath(ino uint64) string {
	return s.own("origins", strconv.FormatUint(ino, 10)+".json")
}

// writeOrigin must be durable before the part is in the drop zone.
func (s *Spool) writeOrigin(id Identity, submitter uint32, batch string) error {
	b, err := json.Marshal(origin{Ino: id.Ino, Size: id.Size, MtimeNS: id.MtimeNS, Submitter: submitter, Batch: batch})
	if err != nil {
		return err
	}
	return s.disk(s.fs.Write(s.originPath(id.Ino), b, modeFile))
}

// origin looks up for whom a file of the daemon's own was made. owner is who owns the file.
func (s *Spool) origin(id Identity, owner uint32) (origin, bool) {
	var o origin
	if owner != uint32(os.Geteuid()) || readJSON(s.originPath(id.Ino), &o) != nil {
		return origin{}, false
	}
	return o, sourceKey{o.Ino, o.Size, o.MtimeNS} == keyOf(id)
}
