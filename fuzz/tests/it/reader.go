// What Go's reader makes of one member of gzip: requests and answers as those of readers.py.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

func read(data []byte) ([]byte, error) {
	in := bytes.NewReader(data)
	reader, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	reader.Multistream(false)
	out, err := io.ReadAll(reader)
	if err == nil && in.Len() != 0 {
		err = errors.New("something follows the member")
	}
	return out, err
}

func main() {
	requests := bufio.NewReader(os.Stdin)
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(requests, head); err != nil {
			return
		}
		data := make([]byte, binary.LittleEndian.Uint64(head[1:]))
		if _, err := io.ReadFull(requests, data); err != nil {
			return
		}
		out, err := read(data)
		if err != nil {
			fmt.Printf("{\"go\": {\"refused\": %q}}\n", err)
		} else {
			fmt.Printf("{\"go\": {\"bytes\": %d, \"digest\": \"%x\"}}\n", len(out), sha256.Sum256(out))
		}
	}
}
