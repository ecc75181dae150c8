package preview

import (
	"bytes"
	"image"

	"github.com/bep/imagemeta"
)

// orientation is EXIF's: how a camera was held. 1 is upright; the others are mirrored (2), upside down (3), both (4), and
// those four once more for a camera on its side (5 to 8).
type orientation uint16

const upright orientation = 1

// turned tells whether width and height change places.
func (o orientation) turned() bool { return o >= 5 && o <= 8 }

const (
	maxExifTags    = 1000 // far behind the orientation, which is among the first
	maxExifTagSize = 64   // the orientation has 2 bytes
)

// orientationOf reads a JPEG's EXIF block; upright if there is none or it makes no sense. data may be cut off behind it.
func orientationOf(data []byte) orientation {
	found := upright
	// An error behind the orientation, such as the cut, changes nothing.
	_, _ = imagemeta.Decode(imagemeta.Options{
		R:            bytes.NewReader(data),
		ImageFormat:  imagemeta.JPEG,
		Sources:      imagemeta.EXIF,
		LimitNumTags: maxExifTags,
		LimitTagSize: maxExifTagSize,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool {
			return tag.Tag == "Orientation" && tag.Namespace == "IFD0"
		},
		HandleTag: func(tag imagemeta.TagInfo) error {
			if value, ok := tag.Value.(uint16); ok && value >= 1 && value <= 8 {
				found = orientation(value)
			}
			return imagemeta.ErrStopWalking
		},
	})
	return found
}

// apply turns a picture upright.
func (o orientation) apply(source *image.RGBA) *image.RGBA {
	if o == upright {
		return source
	}
	width, height := source.Rect.Dx(), source.Rect.Dy()
	bounds := image.Rect(0, 0, width, height)
	if o.turned() {
		bounds = image.Rect(0, 0, height, width)
	}
	target := image.NewRGBA(bounds)
	for y := range height {
		for x := range width {
			at := o.move(x, y, width, height)
			target.SetRGBA(at.X, at.Y, source.RGBAAt(source.Rect.Min.X+x, source.Rect.Min.Y+y))
		}
	}
	return target
}

// move tells where the pixel at x, y of a picture of width and height belongs in the upright one.
func (o orientation) move(x, y, width, height int) image.Point {
	right, bottom := width-1, height-1
	switch o {
	case 2:
		return image.Pt(right-x, y)
	case 3:
		return image.Pt(right-x, bottom-y)
	case 4:
		return image.Pt(x, bottom-y)
	case 5:
		return image.Pt(y, x)
	case 6:
		return image.Pt(bottom-y, x)
	case 7:
		return image.Pt(bottom-y, right-x)
	case 8:
		return image.Pt(y, right-x)
	}
	return image.Pt(x, y)
}
