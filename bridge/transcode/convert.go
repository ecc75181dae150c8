package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// inputPath and outputPath are where ffmpeg finds the two files that it inherits: behind its standard streams.
	inputPath  = "/proc/self/fd/3"
	outputPath = "/proc/self/fd/4"

	// maxReport bounds what ffmpeg reports, in bytes. It says some 200 bytes twice a second.
	maxReport = 256 << 10
	// killTime is how long we wait for the streams of a killed program that left children.
	killTime = 2 * time.Second
)

// convert reads the input into memory and runs one recipe on it. name is for errors.
func (t *Tool) convert(ctx context.Context, name string, r recipe, in io.Reader) (*Result, error) {
	if !t.can(r) {
		return nil, ErrUnavailable
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.slots }()

	source, err := t.fill(in)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, t.limits.time, ErrTooSlow)
	defer cancel()
	result, err := t.run(ctx, r, source)
	if err == nil && r.encoder == sticker.encoder && result.frames <= 1 {
		_ = result.Data.Close()
		result, err = t.run(ctx, stillSticker, source)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to make %s: %w", name, err)
	}
	return &result.Result, nil
}

// fill copies the input into a memory file.
func (t *Tool) fill(in io.Reader) (_ *os.File, err error) {
	source, err := memoryFile("postern-input")
	if err != nil {
		return nil, fmt.Errorf("failed to create a file in memory: %w", err)
	}
	count, err := io.Copy(source, io.LimitReader(in, t.limits.input+1))
	if err == nil && count > t.limits.input {
		err = fmt.Errorf("%w: over %d bytes", ErrTooLarge, t.limits.input)
	} else if err != nil {
		err = fmt.Errorf("failed to read what has to be converted: %w", err)
	}
	if err != nil {
		_ = source.Close()
		return nil, err
	}
	return source, nil
}

// converted is a result, with the number of frames of its picture.
type converted struct {
	Result
	frames int64
}

// run lets ffmpeg do one recipe. ctx ends it.
func (t *Tool) run(ctx context.Context, r recipe, source *os.File) (_ *converted, err error) {
	target, err := memoryFile("postern-output")
	if err != nil {
		return nil, fmt.Errorf("failed to create a file in memory: %w", err)
	}
	defer func() {
		if err != nil {
			_ = target.Close()
		}
	}()
	var output bounded
	output.left = maxReport
	command := t.command(ctx, append(r.input(), r.output(t.limits.output)...)...)
	command.ExtraFiles = []*os.File{source, target}
	command.Stdout = &output
	if err = command.Start(); err != nil {
		return nil, fmt.Errorf("failed to start ffmpeg: %w", err)
	}
	restrictErr := restrict(command.Process.Pid, t.limits)
	if restrictErr != nil {
		_ = command.Process.Kill()
	}
	err = command.Wait()
	if restrictErr != nil {
		return nil, fmt.Errorf("failed to limit ffmpeg: %w", restrictErr)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, classify(err)
	}
	size, err := target.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = target.Seek(0, io.SeekStart)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("failed to read a file in memory: %w", err)
	case size == 0:
		return nil, fmt.Errorf("%w: nothing came out", ErrRefused)
	case size >= t.limits.output: // ffmpeg ends in good order when it gets there
		return nil, fmt.Errorf("%w: the result has over %d bytes", ErrTooLarge, t.limits.output)
	}
	said := parseReport(output.Bytes())
	result := Result{Data: target, Size: size, Width: said.width, Height: said.height}
	switch r.muxer {
	case "ogg":
		result.Duration = said.duration
	case "mp4":
		result.Duration = filmDuration(target)
	}
	return &converted{result, said.frames}, nil
}

// command is an ffmpeg that knows nothing of us: no environment, no standard error, and it dies when we do.
func (t *Tool) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, t.program, arguments...)
	command.Env = []string{}
	command.Dir = "/"
	command.WaitDelay = killTime
	command.SysProcAttr = attributes()
	return command
}

// classify makes our errors of ffmpeg's. What it would say about the cause may hold metadata of the file, so it is not
// even asked: the exit code is all that is reported.
func classify(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("failed to run ffmpeg: %w", err)
	}
	if outgrew(exit.ProcessState) {
		return fmt.Errorf("%w: the result", ErrTooLarge)
	}
	return fmt.Errorf("%w: %s", ErrRefused, exit.ProcessState)
}
