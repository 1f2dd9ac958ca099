package record

import (
	"encoding/json"
	"fmt"
)

// encode is the JSON of a record; what names the record in an error.
func encode(what string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%s record: %w", what, err)
	}
	return b, nil
}

// decode reads the JSON of a record of at most max bytes. The error never
// holds any of the input: it may come from anybody, and goes to a log.
func decode(what string, b []byte, max int, v any) error {
	if len(b) > max {
		return fmt.Errorf("%s record: %d bytes; at most %d are read", what, len(b), max)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s record: not the JSON that is expected there", what)
	}
	return nil
}
