// Command bench measures the figures that the bridge has to reach, each beside a baseline of the same run: what the same
// machine does without the part that is measured. It prints a table and writes a JSON file.
//
// It exits with 0 if everything was measured, whatever the verdicts, and with 1 if a measurement failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/homeserver"
	"postern/testbed/programs"
)

// measurements are all that can be asked for with -only, in the order in which they run.
var measurements = []measurement{
	{"client", "the interop client alone", measureClient},
	{"rate", "messages to Matrix, 8 chats", measureRate},
	{"latency", "one message, each way", measureLatency},
	{"puppets", "contacts' own encryption devices", measurePuppets},
	{"files", "a large file, each way", measureFiles},
	{"busy", "texts beside ten files", measureBusy},
	{"users", "1,000 enlisted users", measureUsers},
	{"ondemand", "5,000 enlisted users who are connected on demand", measureOnDemand},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == idleCommand {
		return idle(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	kind := flags.String("homeserver", string(homeserver.Dendrite), "dendrite or synapse")
	only := flags.String("only", "", "measure only these, with commas between them: "+names())
	quick := flags.Bool("quick", false, "a tenth of everything: to see that it works, not to compare")
	out := flags.String("out", "", "write the figures to this JSON file")
	profile := flags.String("cpuprofile", "", "write a profile of this program, which the client of -only client runs in")
	if err := flags.Parse(args); err != nil {
		return errors.Join(flag.ErrHelp, err)
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	stopProfile, err := startProfile(*profile)
	if err != nil {
		return err
	}
	defer stopProfile()
	builder, err := programs.NewBuilder(false)
	if err != nil {
		return err
	}
	b := &bench{builder: builder, kind: homeserver.Kind(*kind), quick: *quick, began: time.Now()}
	results := &report.Report{Time: b.began.UTC(), Machine: report.ThisMachine(ctx), Homeserver: *kind, Quick: *quick}
	for _, m := range chosen {
		err = b.measure(ctx, m, results)
		if ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			results.Failures = append(results.Failures, fmt.Sprintf("%s: %v", m.name, err))
		}
	}
	fmt.Println()
	if err = results.Print(os.Stdout); err != nil {
		return err
	}
	if *out != "" {
		if err = results.Write(*out); err != nil {
			return err
		}
	}
	if len(results.Failures) > 0 {
		return errFailed
	}
	return nil
}

// startProfile does nothing without a path.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to start the profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}

// choose returns the measurements with the names, all of them for "".
func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements, nil
	}
	var chosen []measurement
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(measurements, func(m measurement) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no measurement %q; there are %s", name, names())
		}
		chosen = append(chosen, measurements[i])
	}
	return chosen, nil
}

func names() string {
	all := make([]string, len(measurements))
	for i, m := range measurements {
		all[i] = m.name
	}
	return strings.Join(all, ",")
}
