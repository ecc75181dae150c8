package connector

import (
	"context"
	"errors"
	"fmt"
	"io"

	"postern/bridge/transcode"
	"postern/portal"
)

// errNotConverted: the file is sent as it is, because it need not or cannot be converted.
var errNotConverted = errors.New("not converted")

// carryConverted has ffmpeg make what the other side's apps show: a voice message, a looping video, a sticker. If that is
// not possible the error is errNotConverted.
func (c *Client) carryConverted(ctx context.Context, attachment *portal.Attachment) (*portal.SentFile, error) {
	convert := c.converter(attachment.Convert)
	if convert == nil {
		return nil, errNotConverted
	}
	file, err := c.open(ctx, attachment)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if attachment.Convert == portal.ConvertGIF && !file.format.Animated {
		return nil, fmt.Errorf("%w: a picture that does not move", errNotConverted)
	}
	result, err := convert(ctx, file)
	if isRefusal(err) {
		return nil, fmt.Errorf("%w: %w", errNotConverted, err)
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = result.Data.Close() }()
	media, err := c.publish(ctx, attachment.MediaKind(true), result.Data)
	if err != nil {
		return nil, err
	}
	return &portal.SentFile{
		Media: media, Converted: true, Width: result.Width, Height: result.Height, Seconds: int(result.Duration.Seconds()),
	}, nil
}

// isRefusal tells whether a file cannot be converted, rather than not be read.
func isRefusal(err error) bool {
	for _, refusal := range []error{transcode.ErrUnavailable, transcode.ErrTooLarge, transcode.ErrTooSlow, transcode.ErrRefused} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// converter returns what makes the wanted form, nil if the machine's ffmpeg cannot.
func (c *Client) converter(wanted portal.Conversion) func(context.Context, io.Reader) (*transcode.Result, error) {
	tool := c.network.Transcode
	switch {
	case wanted == portal.ConvertVoice && tool.CanVoice():
		return tool.Voice
	case wanted == portal.ConvertGIF && tool.CanGIF():
		return tool.GIF
	case wanted == portal.ConvertSticker && tool.CanSticker():
		return tool.Sticker
	default:
		return nil
	}
}
