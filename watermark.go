package ffrtmp

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/strictjson"
)

// Watermark asks for an image that is drawn over the output's picture. Nil is the default.
type Watermark struct {
	Image    string   `json:"image"`    // path of a PNG, JPEG, WebP or BMP file
	Position string   `json:"position"` // one of WatermarkPositions
	Margin   *float64 `json:"margin"`   // distance from the picture's edges, in percent of its width
	Width    *float64 `json:"width"`    // of the image, in percent of the picture's width
	Opacity  *float64 `json:"opacity"`  // in percent
}

// WatermarkPositions are the positions of a watermark, the default first.
var WatermarkPositions = []string{"bottom-right", "bottom-left", "top-right", "top-left", "center"}

// Mark is a resolved Watermark.
type Mark struct {
	Image, Position        string
	Margin, Width, Opacity float64 // percent
}

// Bounds of a watermark, in percent.
const (
	defaultMargin, maxMargin   = 2, 50
	defaultWidth, minMarkWidth = 15, 1
	minOpacity                 = 1
	percent                    = 100
)

var watermarkNames = strictjson.Fields[Watermark]()

// pictureFormats are the demuxers of picture files by extension.
var pictureFormats = map[string]string{
	".png": "png_pipe", ".jpg": "jpeg_pipe", ".jpeg": "jpeg_pipe", ".webp": "webp_pipe", ".bmp": "bmp_pipe",
}

const pictureExtensions = ".png, .jpg, .jpeg, .webp or .bmp"

// PictureFormat returns the demuxer of a file that its name says is a picture, "" for another file.
func PictureFormat(name string) string { return pictureFormats[strings.ToLower(path.Ext(name))] }

// checkPicture returns an error that names the field unless name can be a picture file below a media root.
func checkPicture(field, name string) error {
	switch {
	case name == "":
		return FieldErrorf(field, "is required")
	case schemeOf(name) != "":
		return FieldErrorf(field, "must be a path, not a URL")
	case PictureFormat(name) == "":
		return FieldErrorf(field, "must end in %s", pictureExtensions)
	}
	return checkPath(field, name)
}

// resolveWatermark applies watermark.
func resolveWatermark(e *Encoding, p Parameters) error {
	w := p.Watermark
	if w == nil {
		return nil
	}
	if p.HDR == "keep" {
		return FieldErrorf("parameters.watermark", "requires hdr tonemap: an image has no HDR brightness")
	}
	m := Mark{
		Image: w.Image, Position: cmp.Or(w.Position, WatermarkPositions[0]),
		Margin: defaultMargin, Width: defaultWidth, Opacity: percent,
	}
	if !slices.Contains(WatermarkPositions, m.Position) {
		return FieldErrorf("parameters.watermark.position", "unknown value %q; use %s", m.Position,
			either(WatermarkPositions))
	}
	for _, c := range []struct {
		name      string
		given     *float64
		value     *float64
		low, high float64
	}{
		{"margin", w.Margin, &m.Margin, 0, maxMargin},
		{"width", w.Width, &m.Width, minMarkWidth, percent},
		{"opacity", w.Opacity, &m.Opacity, minOpacity, percent},
	} {
		if c.given == nil {
			continue
		}
		if !(*c.given >= c.low && *c.given <= c.high) {
			return FieldErrorf("parameters.watermark."+c.name, "must be between %s and %s percent", number(c.low),
				number(c.high))
		}
		*c.value = math.Round(*c.given*1e3) / 1e3
	}
	e.Watermark = &m
	return checkPicture("parameters.watermark.image", w.Image)
}

// watermarkParameter describes watermark and its fields.
func watermarkParameter() Parameter {
	p := about("watermark", "object", videoKind, `{"image":"logo.png","position":"top-right","opacity":80}`,
		"image drawn over the picture at its final size; sizes are in percent of the picture's width").
		defaults("none")
	p.Fields = []Parameter{
		about("image", "string", videoKind, `"logo.png"`,
			"path below a media root that ends in "+pictureExtensions+"; required"),
		about("position", "string", videoKind, `"top-right"`, "corner, or center").
			defaults(WatermarkPositions[0]).oneOf(WatermarkPositions...),
		about("margin", "number", videoKind, `2`, "distance from the edges").defaults(number(defaultMargin)).
			within(0, maxMargin),
		about("width", "number", videoKind, `15`,
			"of the image, which keeps its shape and is never higher than the picture").
			defaults(number(defaultWidth)).within(minMarkWidth, percent),
		about("opacity", "number", videoKind, `80`, "100 is the image as it is").defaults(number(percent)).
			within(minOpacity, percent),
	}
	return p
}
