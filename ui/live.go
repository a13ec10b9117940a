package ui

import (
	"net/url"

	"github.com/ffrtmp/ffrtmp"
)

// events is the API's event stream, from this master's own state: it survives the death of any other master.
func events(v *visit) error {
	query := url.Values{}
	for _, name := range []string{"since", "progress"} {
		if value := v.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	return v.stream("/events", query)
}

// masters is the state of the cluster in one line, and where else this page is served.
func masters(v *visit) error {
	var status ffrtmp.ClusterStatus
	if err := v.get("/cluster", nil, &status); err != nil {
		return err
	}
	v.renderPart("masters", status)
	return nil
}
