// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// A message is one request or reply as it went over the wire.
type message struct {
	raw  []byte
	args [][]byte // of a request: the command and its arguments
	push bool     // a reply that answers no request
}

// reader takes a stream of the Redis protocol (RESP2 and RESP3) apart.
type reader struct {
	in  *bufio.Reader
	raw []byte
}

func newReader(in io.Reader) *reader { return &reader{in: bufio.NewReader(in)} }

// request reads one request: an array of bulk strings, which is all that clients
// send.
func (r *reader) request() (message, error) {
	r.raw = nil
	line, err := r.line()
	if err != nil {
		return message{}, err
	}
	n, err := count(line, '*')
	if err != nil {
		return message{}, err
	}
	args := make([][]byte, n)
	for i := range args {
		if line, err = r.line(); err != nil {
			return message{}, err
		}
		size, err := count(line, '$')
		if err != nil {
			return message{}, err
		}
		if args[i], err = r.bulk(size); err != nil {
			return message{}, err
		}
	}
	return message{raw: r.raw, args: args}, nil
}

// reply reads one reply, whatever it is made of.
func (r *reader) reply() (message, error) {
	r.raw = nil
	kind, err := r.value()
	return message{raw: r.raw, push: kind == '>'}, err
}

// value reads one value with all that it contains and returns its type byte.
func (r *reader) value() (byte, error) {
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	kind, elements := line[0], 0
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(': // the line is all
	case '$', '!', '=':
		size, err := count(line, kind)
		if err != nil {
			return 0, err
		}
		if size >= 0 {
			_, err = r.bulk(size)
		}
		return kind, err
	case '*', '~', '>':
		elements, err = count(line, kind)
	case '%':
		elements, err = count(line, kind)
		elements *= 2
	case '|': // attributes come before the value that they describe
		elements, err = count(line, kind)
		elements = 2*elements + 1
	default:
		err = fmt.Errorf("not the Redis protocol: %q", line)
	}
	for ; err == nil && elements > 0; elements-- {
		_, err = r.value()
	}
	return kind, err
}

// line reads a line and returns it without its end; it has a byte at least.
func (r *reader) line() ([]byte, error) {
	line, err := r.in.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	r.raw = append(r.raw, line...)
	if len(line) < 3 || !bytes.HasSuffix(line, []byte("\r\n")) {
		return nil, fmt.Errorf("not the Redis protocol: %q", line)
	}
	return line[:len(line)-2], nil
}

// bulk reads size bytes and the end of line that closes them.
func (r *reader) bulk(size int) ([]byte, error) {
	start := len(r.raw)
	r.raw = append(r.raw, make([]byte, size+2)...)
	if _, err := io.ReadFull(r.in, r.raw[start:]); err != nil {
		return nil, err
	}
	return bytes.Clone(r.raw[start : start+size]), nil
}

// count returns the number that follows the type byte kind.
func count(line []byte, kind byte) (int, error) {
	const limit = 1 << 29 // the largest string that Redis takes
	n, err := strconv.Atoi(string(line[1:]))
	if line[0] != kind || err != nil || n < -1 || n > limit {
		return 0, fmt.Errorf("not the Redis protocol: %q where %q and a number belong", line, kind)
	}
	return n, nil
}
