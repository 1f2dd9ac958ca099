package record

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"
)

// IDPrefix is how many hex digits tell a certificate from others where there are
// thousands in one record: among 50,000, two agree in them in one cluster of
// 200,000.
const IDPrefix = 12

// packedApplied is the length of one packed entry: the first bytes of the id,
// and thisUpdate in seconds since 1970.
const packedApplied = IDPrefix/2 + 4

// packApplied takes ten bytes for each certificate: with 10,000 of them a list
// with names would be above Consul's limit for a value. What has no id or no
// time is left out, and so is what is above MaxApplied.
func packApplied(list []Applied) []byte {
	list = list[:min(len(list), MaxApplied)]
	packed := make([]byte, 0, len(list)*packedApplied)
	for _, a := range list {
		seconds := a.ThisUpdate.Unix()
		if !ValidID(a.ID) || seconds <= 0 || seconds > math.MaxUint32 {
			continue
		}
		id, err := hex.DecodeString(a.ID[:IDPrefix])
		if err != nil {
			continue
		}
		packed = binary.BigEndian.AppendUint32(append(packed, id...), uint32(seconds))
	}
	return packed
}

// unpackApplied reads what packApplied wrote; a rest that is no entry is ignored.
func unpackApplied(packed []byte) []Applied {
	list := make([]Applied, 0, min(len(packed)/packedApplied, MaxApplied))
	for len(packed) >= packedApplied && len(list) < MaxApplied {
		list = append(list, Applied{
			ID:         hex.EncodeToString(packed[:IDPrefix/2]),
			ThisUpdate: time.Unix(int64(binary.BigEndian.Uint32(packed[IDPrefix/2:])), 0).UTC(),
		})
		packed = packed[packedApplied:]
	}
	return list
}
