package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/go-metrics/datadog"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
)

// The figures of USR1: so long is one interval, and so much of them is kept.
const (
	metricsInterval = 10 * time.Second
	metricsRetain   = time.Minute
)

// telemetry is where an agent's figures go: to memory, shown at USR1, and to
// what the telemetry block names.
type telemetry struct {
	*metrics.Metrics
	dump *metrics.InmemSignal
}

// newTelemetry connects the sinks. stop ends what it started.
func newTelemetry(e environment, cfg hclconfig.Telemetry) (*telemetry, error) {
	memory := metrics.NewInmemSink(metricsInterval, metricsRetain)
	sinks := metrics.FanoutSink{memory}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if cfg.StatsdAddress != "" {
		sink, err := metrics.NewStatsdSink(cfg.StatsdAddress)
		if err != nil {
			return nil, fmt.Errorf("telemetry: statsd_address: %w", err)
		}
		sinks = append(sinks, sink)
	}
	if cfg.DogstatsdAddr != "" {
		sink, err := datadog.NewDogStatsdSink(cfg.DogstatsdAddr, host)
		if err != nil {
			return nil, fmt.Errorf("telemetry: dogstatsd_addr: %w", err)
		}
		sink.SetTags(cfg.DogstatsdTags)
		sinks = append(sinks, sink)
	}
	conf := metrics.DefaultConfig(cfg.MetricsPrefix)
	conf.HostName, conf.EnableHostname = host, !cfg.DisableHostname
	// The library's own loop for these has no end, and would send to sinks that
	// were shut down.
	conf.EnableRuntimeMetrics = false
	m, err := metrics.New(conf, sinks)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return &telemetry{Metrics: m, dump: metrics.NewInmemSignal(memory, syscall.SIGUSR1, e.stderr)}, nil
}

// stop sends what is left and ends the watch for USR1. Nothing may be measured
// any more.
func (t *telemetry) stop() {
	t.dump.Stop()
	t.Shutdown()
}
