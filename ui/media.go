package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// seriesCharts draws how an encoding went.
func seriesCharts(s *ffrtmp.Series) []chart {
	if s == nil || len(s.Seconds) < 2 {
		return nil
	}
	moments := make([]string, len(s.Seconds))
	for i, at := range s.Seconds {
		moments[i] = "after " + span(time.Duration(at)*time.Second)
	}
	var charts []chart
	for _, c := range []struct {
		title, class string
		values       []float64
		unit         func(float64) string
	}{
		{"Frames a second", "blue", s.FPS, number},
		{"Speed", "green", s.Speed, func(f float64) string { return number(f) + "×" }},
		{"Bitrate", "amber", s.Kilobits, bitrate},
	} {
		drawn := lineChart(c.title, moments, c.unit, series{Label: "last", Class: c.class, Values: c.values})
		drawn.From, drawn.To = "start", span(time.Duration(s.Seconds[len(s.Seconds)-1])*time.Second)
		charts = append(charts, drawn)
	}
	return charts
}

// bitrate is a number of kilobits a second with a unit.
func bitrate(kilobits float64) string {
	if kilobits >= 1000 {
		return number(kilobits/1000) + " Mbit/s"
	}
	return number(kilobits) + " kbit/s"
}

// streamWords describes a stream in a line.
func streamWords(s ffrtmp.MediaStream) string {
	words := []string{s.Codec}
	if s.Width > 0 {
		words = append(words, fmt.Sprintf("%dx%d", s.Width, s.Height))
	}
	if s.FPS > 0 {
		words = append(words, number(s.FPS)+" fps")
	}
	words = append(words, s.PixelFormat)
	if s.PixelAspect != "" && s.PixelAspect != "1:1" && s.PixelAspect != "N/A" {
		words = append(words, "pixels "+s.PixelAspect)
	}
	if s.Rotation != 0 {
		words = append(words, fmt.Sprintf("turned by %g°", s.Rotation))
	}
	words = append(words, transferWords(s.Transfer))
	if s.Channels > 0 {
		words = append(words, plural(s.Channels, "channel"))
	}
	words = append(words, s.Layout)
	var list []string
	for _, w := range words {
		if w != "" {
			list = append(list, w)
		}
	}
	return strings.Join(list, ", ")
}

// transferWords names HDR; other transfers are as usual.
func transferWords(transfer string) string {
	switch transfer {
	case "smpte2084":
		return "HDR (PQ)"
	case "arib-std-b67":
		return "HDR (HLG)"
	}
	return ""
}

// outputOf reports whether this master has the output of a job, and which element plays it.
func (v *visit) outputOf(j *ffrtmp.Job) (player string, ok bool) {
	if j.Status != ffrtmp.Completed || j.Output == nil {
		return "", false
	}
	answer, err := v.call(http.MethodHead, "/jobs/"+j.ID+"/output", nil, nil, nil)
	if err != nil {
		return "", false // it is on another machine
	}
	player, _, _ = strings.Cut(answer.header.Get("Content-Type"), "/")
	if player != "video" && player != "audio" {
		player = ""
	}
	return player, true
}

// jobOutput is the file that a job has written, or a range of it.
func jobOutput(v *visit) error {
	return v.stream("/jobs/"+url.PathEscape(v.PathValue("id"))+"/output", nil)
}
