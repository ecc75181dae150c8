package transcode

import (
	"context"
	"fmt"
	"io"
)

// recipe is one conversion.
type recipe struct {
	// encoder has to be in the program.
	encoder string
	// formats and codecs are what the input may be, by ffmpeg's names of demuxers and decoders. No demuxer that opens
	// other files is in a list: no hls, dash, concat, image2, sdp.
	formats, codecs string
	// filter is the picture's, "" for sound.
	filter string
	// arguments encode; muxer is how the result is stored.
	arguments []string
	muxer     string
}

const (
	filmFormats   = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"
	soundFormats  = filmFormats + ",wav,w64,mp3,aac,flac,amr,aiff,caf,au"
	pictureFormat = "gif,apng,png_pipe,webp_pipe,jpeg_pipe"

	soundCodecs = "opus,libopus,vorbis,aac,mp3float,mp3,flac,alac,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb," +
		"pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_alaw,pcm_mulaw"
	filmCodecs    = "h264,hevc,vp8,libvpx,vp9,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mpeg2video,mpeg1video,h263,wmv2,theora"
	pictureCodecs = "gif,apng,png,webp,mjpeg"
)

var (
	// voice is what WhatsApp plays as a voice message: Opus in Ogg, one channel. 32 kbit/s is more than speech needs.
	voice = recipe{
		encoder: "libopus", formats: soundFormats, codecs: soundCodecs, muxer: "ogg",
		arguments: []string{"-map", "0:a:0", "-vn", "-ac", "1", "-ar", "48000", "-c:a", "libopus", "-b:a", "32k",
			"-application", "voip"},
	}
	// animation is a film without sound. H.264 in 4:2:0 has an even number of pixels each way and no transparency, so
	// the film is on white. The index is in front, so that players can begin before they have the whole.
	animation = recipe{
		encoder: "libx264", formats: pictureFormat + "," + filmFormats, codecs: pictureCodecs + "," + filmCodecs, muxer: "mp4",
		filter: "format=rgba,split[back][front];[back]lutrgb=r=255:g=255:b=255:a=255[back];[back][front]overlay=format=auto," +
			"scale='min(iw,1280)':'min(ih,1280)':force_original_aspect_ratio=decrease," +
			"scale='max(2,trunc(iw/2)*2)':'max(2,trunc(ih/2)*2)'",
		arguments: []string{"-map", "0:v:0", "-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "24",
			"-pix_fmt", "yuv420p", "-movflags", "+faststart"},
	}
	// sticker is an animated WebP of exactly 512 x 512 pixels, as WhatsApp wants it, on nothing.
	sticker = recipe{
		encoder: "libwebp_anim", formats: pictureFormat + "," + filmFormats, codecs: pictureCodecs + "," + filmCodecs,
		muxer: "webp", filter: stickerFilter,
		arguments: []string{"-map", "0:v:0", "-an", "-c:v", "libwebp_anim", "-pix_fmt", "yuva420p", "-quality", "70",
			"-loop", "0"},
	}
	// stillSticker is the same without the container of an animation.
	stillSticker = recipe{
		encoder: "libwebp", formats: sticker.formats, codecs: sticker.codecs, muxer: "webp", filter: stickerFilter,
		arguments: []string{"-map", "0:v:0", "-an", "-frames:v", "1", "-c:v", "libwebp", "-pix_fmt", "yuva420p",
			"-quality", "80"},
	}
	// frame is the first picture of a film.
	frame = recipe{
		encoder: "mjpeg", formats: filmFormats + "," + pictureFormat, codecs: filmCodecs + "," + pictureCodecs, muxer: "mjpeg",
		filter: "scale='min(iw,640)':'min(ih,640)':force_original_aspect_ratio=decrease",
		arguments: []string{"-map", "0:v:0", "-an", "-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "4",
			"-strict", "unofficial"},
	}
)

const stickerFilter = "scale=512:512:force_original_aspect_ratio=decrease:flags=lanczos,format=rgba," +
	"pad=512:512:(ow-iw)/2:(oh-ih)/2:color=black@0"

// Voice converts sound, or the sound of a film, into a voice message: Opus in Ogg, mono, 48 kHz, without metadata.
//
// This and the other conversions wait for a free slot and then read all of in, so it has to end when ctx does. The errors
// are [ErrUnavailable], [ErrTooLarge], [ErrTooSlow], [ErrRefused], those of in and those of ctx.
func (t *Tool) Voice(ctx context.Context, in io.Reader) (*Result, error) {
	return t.convert(ctx, "a voice message", voice, in)
}

// GIF converts a GIF, an animated PNG or a film into an MP4 without sound, H.264, at most 1280 pixels a side.
func (t *Tool) GIF(ctx context.Context, in io.Reader) (*Result, error) {
	return t.convert(ctx, "an animation", animation, in)
}

// Sticker converts a picture into a WebP of 512 x 512 pixels; what is not square gets transparent bars. It is animated if
// the source is. An animated WebP is refused: most versions of ffmpeg cannot read it, and it is a sticker already.
func (t *Tool) Sticker(ctx context.Context, in io.Reader) (*Result, error) {
	return t.convert(ctx, "a sticker", sticker, in)
}

// Frame makes a JPEG of a film's first picture, at most 640 pixels a side. Like everything that was decoded from foreign
// bytes it has to be treated as a picture of unknown origin.
func (t *Tool) Frame(ctx context.Context, in io.Reader) (*Result, error) {
	return t.convert(ctx, "a film's first picture", frame, in)
}

// input lists the arguments in front of the input. The limits are of one block of memory (bytes), of a picture (pixels)
// and of the number of streams.
func (r recipe) input() []string {
	return []string{"-hide_banner", "-nostdin", "-nostats", "-loglevel", "quiet", "-y", "-progress", "pipe:1",
		"-max_alloc", "134217728", "-filter_threads", "1", "-filter_complex_threads", "1",
		"-threads", "1", "-max_pixels", "36000000", "-max_streams", "16",
		"-protocol_whitelist", "file", "-format_whitelist", r.formats, "-codec_whitelist", r.codecs,
		"-i", inputPath}
}

// output lists the arguments behind the input: the result and, to learn its size in pixels, the checksum of one frame.
func (r recipe) output(limit int64) []string {
	var arguments []string
	if r.filter != "" {
		arguments = append(arguments, "-vf", r.filter)
	}
	arguments = append(arguments, r.arguments...)
	arguments = append(arguments, "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact",
		"-flags", "+bitexact", "-threads", "1", "-fs", fmt.Sprint(limit), "-f", r.muxer, outputPath)
	if r.filter != "" {
		arguments = append(arguments, "-map", "0:v:0", "-vf", r.filter, "-frames:v", "1", "-c:v", "rawvideo",
			"-threads", "1", "-f", "framecrc", "pipe:1")
	}
	return arguments
}
