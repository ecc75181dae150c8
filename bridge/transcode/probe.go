package transcode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// probeTime is how long ffmpeg may take to say what it can.
	probeTime = 10 * time.Second
	// probeOutput bounds what it says, in bytes: the list of encoders has about 20 KiB.
	probeOutput = 256 << 10
	// maxVersion bounds the version that we repeat, in characters.
	maxVersion = 64
)

// Tool is a working ffmpeg. A nil *Tool is valid and can do nothing. Safe for use by many goroutines.
type Tool struct {
	program  string // an absolute path
	version  string
	encoders map[string]bool
	slots    chan struct{}
	limits   limits
}

// limits are those of the package; tests have smaller ones.
type limits struct {
	input, output int64 // in bytes
	time          time.Duration
}

// Probe asks the program what it is and what it can. program is a name to look for in PATH, or a path. The errors are
// [ErrNotFound] and [ErrUnsupported], which only mean that there will be no conversions, and others for a program that
// is there but does not work.
func Probe(ctx context.Context, program string) (*Tool, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	} else if err != nil {
		return nil, fmt.Errorf("failed to find ffmpeg: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("failed to find ffmpeg: %w", err)
	}
	tool := &Tool{
		program:  path,
		encoders: map[string]bool{},
		slots:    make(chan struct{}, Slots),
		limits:   limits{MaxInput, MaxOutput, MaxTime},
	}
	output, err := tool.ask(ctx, "-version")
	if err != nil {
		return nil, err
	}
	var ok bool
	if tool.version, ok = parseVersion(output); !ok {
		return nil, errors.New("the program does not say that it is ffmpeg")
	}
	if output, err = tool.ask(ctx, "-encoders"); err != nil {
		return nil, err
	}
	for _, name := range parseEncoders(output) {
		tool.encoders[name] = true
	}
	return tool, nil
}

// Version is what ffmpeg calls its version, "" for a nil Tool.
func (t *Tool) Version() string {
	if t == nil {
		return ""
	}
	return t.version
}

// CanVoice tells whether [Tool.Voice] can work.
func (t *Tool) CanVoice() bool { return t.can(voice) }

// CanGIF tells whether [Tool.GIF] can work.
func (t *Tool) CanGIF() bool { return t.can(animation) }

// CanSticker tells whether [Tool.Sticker] can work.
func (t *Tool) CanSticker() bool { return t.can(sticker) && t.can(stillSticker) }

// CanFrame tells whether [Tool.Frame] can work.
func (t *Tool) CanFrame() bool { return t.can(frame) }

func (t *Tool) can(r recipe) bool { return t != nil && t.encoders[r.encoder] }

func (t *Tool) ask(ctx context.Context, question string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var answer bounded
	answer.left = probeOutput
	command := t.command(ctx, "-hide_banner", "-nostdin", question)
	command.Stdout = &answer
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("failed to run ffmpeg %s: %w", question, errors.Join(err, ctx.Err()))
	}
	return answer.Bytes(), nil
}

// parseVersion reads "ffmpeg version 7.1.1-1 Copyright (c) …".
func parseVersion(output []byte) (string, bool) {
	words := strings.Fields(strings.ToValidUTF8(string(output[:min(len(output), 256)]), ""))
	if len(words) < 3 || words[0] != "ffmpeg" || words[1] != "version" {
		return "", false
	}
	version := []rune(words[2])
	return string(version[:min(len(version), maxVersion)]), true
}

// parseEncoders reads the names out of lines such as " A....D libopus   libopus Opus (codec opus)". The lines of the
// legend have "=" for a name.
func parseEncoders(output []byte) (names []string) {
	const flags = "VAS"
	for line := range bytes.Lines(output) {
		words := bytes.Fields(line)
		if len(words) >= 2 && len(words[0]) == 6 && strings.IndexByte(flags, words[0][0]) >= 0 && string(words[1]) != "=" {
			names = append(names, string(words[1]))
		}
	}
	return names
}

// bounded keeps the first bytes that are written to it and lets the rest go, so that the writer does not fail.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(data []byte) (int, error) {
	kept := data[:min(len(data), b.left)]
	b.left -= len(kept)
	_, _ = b.Buffer.Write(kept)
	return len(data), nil
}
