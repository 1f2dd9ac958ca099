package event

import (
	"bytes"
	"context"
	"fmt"

	"github.com/consul-ocsp/consul-ocsp/plugin/program"
)

// sendCommand runs the command with the event as JSON on its standard input, and
// as CONSUL_OCSP_EVENT, _TIME, _NODE, _MESSAGE, _ID, _JOB, _NAME, _MUST_STAPLE
// ("true" or empty), _STATUS, _STATE, _REASON and _UNTIL.
func sendCommand(ctx context.Context, settings Settings, e Event, text []byte) error {
	output, err := program.Run(ctx, settings.Command, e.environment(), bytes.NewReader(append(text, '\n')), settings.Timeout)
	if err != nil && output != "" {
		return fmt.Errorf("%w: %s", err, clean(output))
	}
	return err
}
