package bridge

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/bridge/metrics"
	"postern/interop"
)

// newMetrics makes the counters. state is asked at scrapes.
func newMetrics(cfg *config.Config, version string, raw *dbutil.Database, state metrics.StateFunc) *metrics.Metrics {
	options := metrics.Options{Version: version, Kinds: interop.Kinds, Database: raw.RawDB, State: state}
	for _, gatekeeper := range cfg.Gatekeepers {
		options.Gatekeepers = append(options.Gatekeepers, gatekeeper.ID)
	}
	for _, incident := range interop.Incidents {
		options.Incidents = append(options.Incidents, string(incident))
	}
	return metrics.New(options)
}

// meteredQueries is dbutil's log of queries, which also measures them. bridgev2's and mautrix' queries come through it, too.
type meteredQueries struct {
	dbutil.DatabaseLogger
	metrics *metrics.Metrics
}

func newMeteredQueries(log zerolog.Logger, counters *metrics.Metrics) meteredQueries {
	settings := dbutil.ZeroLogSettings{Caller: true, CallerSkipFrame: 3} // one more than usual: this one
	return meteredQueries{dbutil.ZeroLogger(log, settings), counters}
}

// queryMethods are dbutil's names of what it measures, and ours. Sums of what is counted already are left out.
var queryMethods = map[string]string{
	"Exec": "exec", "Query": "query", "QueryRow": "query", "Begin": "begin", "Commit": "commit", "Rollback": "rollback",
}

// QueryTiming implements dbutil.DatabaseLogger.
func (q meteredQueries) QueryTiming(
	ctx context.Context, method, query string, args []any, rows int, took time.Duration, err error,
) {
	q.DatabaseLogger.QueryTiming(ctx, method, query, args, rows, took, err)
	if name := queryMethods[method]; name != "" {
		q.metrics.Query(name, took, err != nil)
	}
}
