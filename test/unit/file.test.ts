/** A file is what its first bytes are, whatever a header says; an MP4 without its end is recognised by its boxes. */
import * as files from '../../nodes/shared/api/fileType';
import { boxReader } from '../../nodes/shared/api/videoBoxes';
import starts from '../fixtures/fileStarts.json';

const { imageTypeOf, kindOf, videoTypeOf } = files;

/** A file that begins with these characters, one byte each. */
const head = (start: string) =>
	Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(files.HEAD_BYTES)]);
const NOTHING = Buffer.alloc(0);

it.each(starts.videos)('$name is a video of $type, by its first bytes', (video) => {
	expect(videoTypeOf(head(video.start), video.contentType)).toBe(video.type);
});

it.each(starts.noVideos)('%s is no video, even where the header says so', (_name, start) => {
	expect(videoTypeOf(head(start), 'video/mp4')).toBeUndefined();
	expect(videoTypeOf(NOTHING, 'video/mp4')).toBeUndefined();
});

it('a video is stored under the extension of its type', () => {
	const types = ['video/mp4', 'video/quicktime', 'video/webm', 'video/x-matroska'];
	expect(types.map(files.extensionOf)).toEqual(['mp4', 'mp4', 'webm', 'mkv']);
});

it.each(starts.images)('%s is recognised by its first bytes (%#)', (type, start) => {
	expect(imageTypeOf(head(start))).toBe(type);
});

it.each([
	...starts.noImages.map(([name, start]): [string, Buffer] => [name, head(start)]),
	['a text that begins with BM', Buffer.from('BMW drives along a road, seen from above')],
	['nothing', NOTHING],
])('%s is no image', (_name, bytes) => {
	expect(imageTypeOf(bytes)).toBeUndefined();
});

it.each([
	...starts.kinds.map(([kind, start]): [string, Buffer] => [kind, Buffer.from(start)]),
	['a web page', Buffer.from('\ufeff<html><head>', 'utf16le')],
	['an image', head(starts.images[0][1])],
	['a video', head(starts.videos[5].start)],
])('a file is called, for a person, %s (%#)', (kind, bytes) => {
	expect(kindOf(bytes)).toBe(kind);
});

function box(name: string, size: number, header = Buffer.alloc(8)): Buffer {
	if (header.length === 8) header.writeUInt32BE(8 + size);
	header.write(name, 4, 'latin1');
	return Buffer.concat([header, Buffer.alloc(size, 7)]);
}

/** A box whose length stands in eight bytes, as in films over 4 GB. */
function longBox(name: string, size: number): Buffer {
	const header = Buffer.alloc(16);
	header.writeUInt32BE(1);
	header.writeBigUInt64BE(BigInt(16 + size), 8);
	return box(name, size, header);
}

/** A box that goes on until the end of the file. */
function lastBox(name: string, size: number): Buffer {
	const open = box(name, size);
	open.writeUInt32BE(0);
	return open;
}

const START = box('ftyp', 16);
const INDEX = box('moov', 90);
const DATA = box('mdat', 300);

const isCut = (...pieces: Buffer[]) => {
	const reader = boxReader();
	for (const piece of pieces) reader.add(piece);
	return reader.isCut();
};

it.each([
	['with the index first', [START, INDEX, DATA]],
	['with the index last', [START, DATA, INDEX]],
	['in fragments', [START, INDEX, box('moof', 20), DATA]],
	['with a long box', [START, INDEX, longBox('mdat', 300)]],
])('a film %s is whole however it comes, and cut after any part of it', (_name, boxes) => {
	const film = Buffer.concat(boxes);
	expect(isCut(film)).toBe(false);
	expect(isCut(...Array.from(film, (byte) => Buffer.from([byte])))).toBe(false);
	for (const part of [0.02, 0.1, 0.2, 0.5, 0.9, 0.999]) {
		expect(isCut(film.subarray(0, Math.floor(film.length * part)))).toBe(true);
	}
});

it('a film is cut when it ends between two boxes', () => {
	expect([isCut(START, INDEX), isCut(START, DATA)]).toEqual([true, true]);
});

it.each([
	['has a box without an end', [START, INDEX, lastBox('mdat', 30)]],
	['is followed by a few bytes', [START, INDEX, DATA, Buffer.alloc(5)]],
	['is followed by anything else', [START, DATA, Buffer.alloc(40, 'x')]],
	['is a WebM', [Buffer.from('1a45dfa39f4286810142f7810142f2810442f38108', 'hex')]],
	['has a length that cannot be', [START, Buffer.from('\0\0\0\x03moov')]],
])('a film is not called cut when it %s', (_name, pieces) => {
	expect(isCut(...pieces)).toBe(false);
});
