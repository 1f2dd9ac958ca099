package record

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"
)

// Lately says since when a node has had a response in all of its files and
// servers. A node tells the latest of these, so that who keeps a history need
// not read its record at that moment.
type Lately struct {
	ID         string // its first IDPrefix digits where it was read from a record
	ThisUpdate time.Time
	At         time.Time
}

const (
	// MaxLately is how many a node tells: the record grows by 12 KB at most, and
	// where no history is kept not at all.
	MaxLately    = 640
	packedLately = IDPrefix/2 + 4 + 4
)

// AddLately adds to a list that is bounded: the oldest leaves it.
func AddLately(list []Lately, l Lately) []Lately {
	if len(list) >= MaxLately {
		list = append(list[:0], list[len(list)-MaxLately+1:]...)
	}
	return append(list, l)
}

// packLately takes fourteen bytes for each. What has no id or no time is left
// out.
func packLately(list []Lately) []byte {
	list = list[max(0, len(list)-MaxLately):]
	packed := make([]byte, 0, len(list)*packedLately)
	for _, l := range list {
		this, at := l.ThisUpdate.Unix(), l.At.Unix()
		if !ValidID(l.ID) || this <= 0 || this > math.MaxUint32 || at <= 0 || at > math.MaxUint32 {
			continue
		}
		id, err := hex.DecodeString(l.ID[:IDPrefix])
		if err != nil {
			continue
		}
		packed = binary.BigEndian.AppendUint32(append(packed, id...), uint32(this))
		packed = binary.BigEndian.AppendUint32(packed, uint32(at))
	}
	return packed
}

// unpackLately reads what packLately wrote; a rest that is no entry is ignored.
func unpackLately(packed []byte) []Lately {
	list := make([]Lately, 0, min(len(packed)/packedLately, MaxLately))
	for len(packed) >= packedLately && len(list) < MaxLately {
		second := func(b []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint32(b)), 0).UTC() }
		list = append(list, Lately{
			ID: hex.EncodeToString(packed[:IDPrefix/2]), ThisUpdate: second(packed[IDPrefix/2:]), At: second(packed[IDPrefix/2+4:]),
		})
		packed = packed[packedLately:]
	}
	return list
}
