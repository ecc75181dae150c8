package preview

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"

	"github.com/buckket/go-blurhash"
	"golang.org/x/image/draw"
)

const (
	// blurhashX and blurhashY are the components of the hash: what most clients use. It gets 28 characters.
	blurhashX, blurhashY = 4, 3
	// blurhashSide is the size, in pixels, of the picture that the hash is made of. It holds far fewer waves than that.
	blurhashSide = 32
	// oversize is how many times larger than the result the first, rough step of scaling is.
	oversize = 4
)

// qualities are tried until the JPEG has at most MaxThumbnail bytes.
var qualities = []int{75, 60, 45, 30}

// shrink scales a picture so that its longer side has at most maxSide pixels.
//
// A kernel over the whole source would be nicer, but needs 32 bytes for each row of the source and column of the target.
// So the first step takes samples, and the next ones halve, which is the mean of four pixels each.
func shrink(source image.Image, maxSide int) *image.RGBA {
	size := source.Bounds().Size()
	width, height := fit(size.X, size.Y, maxSide)
	factor := 1
	for factor < oversize && width*factor*2 <= size.X && height*factor*2 <= size.Y {
		factor *= 2
	}
	result := scale(source, width*factor, height*factor)
	for factor > 1 {
		factor /= 2
		result = scale(result, width*factor, height*factor)
	}
	return result
}

// fit makes the longer side maxSide, if it is longer than that, and keeps the proportions; no side gets lost.
func fit(width, height, maxSide int) (int, int) {
	longer := max(width, height)
	if longer <= maxSide {
		return width, height
	}
	return max(width*maxSide/longer, 1), max(height*maxSide/longer, 1)
}

func scale(source image.Image, width, height int) *image.RGBA {
	target := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(target, target.Rect, source, source.Bounds(), draw.Src, nil)
	return target
}

// flatten puts a picture on white: JPEG knows no transparency.
func flatten(picture *image.RGBA) *image.RGBA {
	if picture.Opaque() {
		return picture
	}
	target := image.NewRGBA(picture.Rect)
	draw.Draw(target, target.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(target, target.Rect, picture, picture.Rect.Min, draw.Over)
	return target
}

// encode fills in the JPEG, its size and the hash. What does not fit in any quality is made smaller.
func (p *Picture) encode(small *image.RGBA) (err error) {
	if p.Blurhash, err = blurhash.Encode(blurhashX, blurhashY, shrink(small, blurhashSide)); err != nil {
		return fmt.Errorf("failed to make a blurhash: %w", err)
	}
	var buffer bytes.Buffer
	for {
		for _, quality := range qualities {
			buffer.Reset()
			if err = jpeg.Encode(&buffer, small, &jpeg.Options{Quality: quality}); err != nil {
				return fmt.Errorf("failed to encode a thumbnail: %w", err)
			}
			if buffer.Len() <= MaxThumbnail {
				p.JPEG = bytes.Clone(buffer.Bytes())
				p.Width, p.Height = small.Rect.Dx(), small.Rect.Dy()
				return nil
			}
		}
		small = shrink(small, max(small.Rect.Dx(), small.Rect.Dy())*3/4)
	}
}
