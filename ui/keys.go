package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// keysPage lists the API keys. Created is shown once.
type keysPage struct {
	Keys     []ffrtmp.Key
	Sessions []ffrtmp.Key
	Created  *ffrtmp.CreatedKey
	Scopes   []ffrtmp.Scope
	Own      string // id of this session
}

func keys(v *visit) error { return v.showKeys(nil) }

func (v *visit) showKeys(created *ffrtmp.CreatedKey) error {
	var list ffrtmp.KeyList
	if err := v.get("/keys", nil, &list); err != nil {
		return err
	}
	p := keysPage{Created: created, Scopes: ffrtmp.Scopes, Own: v.who.KeyID}
	slices.Reverse(list.Keys)
	for i := range list.Keys {
		if k := list.Keys[i]; k.Kind == "" {
			p.Keys = append(p.Keys, k)
		} else {
			p.Sessions = append(p.Sessions, k)
		}
	}
	v.render(http.StatusOK, "keys", "Keys", p)
	return nil
}

// createKey creates a key and shows it once, in the answer to the form.
func createKey(v *visit) error {
	k := ffrtmp.NewKey{Name: v.PostFormValue("name")}
	for _, s := range v.PostForm["scope"] {
		k.Scopes = append(k.Scopes, ffrtmp.Scope(s))
	}
	if text := v.PostFormValue("days"); text != "" {
		days, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return ffrtmp.FieldErrorf("expires_in", "%q is not a number of days", text)
		}
		k.ExpiresIn = ffrtmp.Duration(days * float64(24*time.Hour))
	}
	var created ffrtmp.CreatedKey
	if err := v.send(http.MethodPost, "/keys", nil, k, &created); err != nil {
		return err
	}
	return v.showKeys(&created)
}

func revokeKey(v *visit) error {
	if err := v.send(http.MethodDelete, "/keys/"+url.PathEscape(v.PathValue("id")), nil, struct{}{}, nil); err != nil {
		return err
	}
	v.back(notice{Text: "The key is revoked on every master."})
	return nil
}

// auditPage is a page of the audit log.
type auditPage struct {
	ffrtmp.AuditList
	Next string
}

func audit(v *visit) error {
	q := url.Values{"limit": {"100"}}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
	}
	var p auditPage
	if err := v.get("/audit", q, &p.AuditList); err != nil {
		return err
	}
	if p.NextCursor != "" {
		p.Next = "/ui/audit?" + url.Values{"cursor": {p.NextCursor}}.Encode()
	}
	v.render(http.StatusOK, "audit", "Audit log", p)
	return nil
}
