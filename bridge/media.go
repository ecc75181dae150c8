package bridge

import (
	"context"

	"github.com/rs/zerolog"

	"postern/bridge/transcode"
)

// previewsAtOnce is how many pictures are decoded at the same time: a large one takes much memory.
const previewsAtOnce = 1

// probeTranscoder looks for ffmpeg, and says in the log what it means if there is none, or one that cannot do everything.
func probeTranscoder(ctx context.Context, program string, log zerolog.Logger) *transcode.Tool {
	if program == "" {
		log.Info().Msg("ffmpeg is turned off: voice messages, GIFs and stickers are sent as ordinary files where they need conversion")
		return nil
	}
	tool, err := transcode.Probe(ctx, program)
	if err != nil {
		log.Warn().Err(err).Msg("ffmpeg cannot be used: voice messages, GIFs and stickers are sent as ordinary files where they need conversion")
		return nil
	}
	log.Info().Str("version", tool.Version()).Bool("voice", tool.CanVoice()).Bool("gif", tool.CanGIF()).Bool("sticker", tool.CanSticker()).
		Msg("ffmpeg found")
	return tool
}
