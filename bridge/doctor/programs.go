package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postern/bridge/transcode"
)

// programs looks at ffmpeg, and at what the system lets the bridge have.
func (e *examination) programs(ctx context.Context) []Finding {
	return []Finding{e.ffmpeg(ctx), e.openFilesFinding(ctx)}
}

func (e *examination) ffmpeg(ctx context.Context) Finding {
	const (
		check  = "programs.ffmpeg"
		effect = " Voice messages, GIFs and stickers that need a conversion are sent as ordinary files."
	)
	if e.Config.FFmpeg == "" {
		return note(check, "ffmpeg is turned off."+effect, "")
	}
	tool, err := transcode.Probe(ctx, e.Config.FFmpeg)
	switch {
	case errors.Is(err, transcode.ErrUnsupported):
		return note(check, "Conversions need Linux."+effect, "")
	case errors.Is(err, transcode.ErrNotFound):
		return note(check, "ffmpeg is not installed."+effect, "Install it (Debian: ffmpeg) and restart the bridge, or set ffmpeg to where it is.")
	case err != nil:
		return warning(check, "ffmpeg does not work."+effect, "Run it by hand, with -version, as the bridge's user. Install another one, or set ffmpeg to where it is.")
	}
	var missing []string
	for _, recipe := range []struct {
		what string
		can  bool
	}{
		{"voice messages", tool.CanVoice()}, {"GIFs", tool.CanGIF()}, {"stickers", tool.CanSticker()}, {"previews of videos", tool.CanFrame()},
	} {
		if !recipe.can {
			missing = append(missing, recipe.what)
		}
	}
	if len(missing) > 0 {
		return note(check, fmt.Sprintf("ffmpeg %s was built without what it takes for %s.", tool.Version(), strings.Join(missing, ", ")), "Install one with libopus, libx264 and libwebp (Debian: ffmpeg).")
	}
	return fine(check, "ffmpeg "+tool.Version()+" can convert everything.")
}

// spareFiles is how many open files the bridge needs beside one connection for each user.
const spareFiles = 256

// openFilesFinding compares the limit of open files with the users, each of whom may have a connection.
func (e *examination) openFilesFinding(ctx context.Context) Finding {
	const check = "programs.open_files"
	limit, ok := e.look.files()
	whose := "A program started from here"
	if e.reading != nil && e.reading.MaxFiles > 0 {
		limit, ok, whose = e.reading.MaxFiles, true, "The bridge"
	}
	if !ok || e.store.ours == nil {
		return fine(check, "Nobody is enlisted who would need open files.")
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	counts, err := e.store.ours.Enlistments().CountEnlistments(ctx)
	if err != nil {
		return fault(check, "The database cannot be read: "+databaseCause(err)+".", readRemedy(err))
	}
	var users uint64
	for _, count := range counts {
		users += uint64(count.Count)
	}
	text := fmt.Sprintf("%s may have %d files open. %d enlistments may need as many connections, and %d are for the rest.", whose, limit, users, spareFiles)
	switch {
	case limit < users+spareFiles:
		return fault(check, text, "Raise the limit: LimitNOFILE in the systemd unit, ulimits in the compose file. Then restart the bridge.")
	case limit < 2*users+spareFiles:
		return warning(check, text, "Raise the limit before there are more users: LimitNOFILE in the systemd unit, ulimits in the compose file.")
	}
	return fine(check, text)
}
