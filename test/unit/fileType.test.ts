/** A file is what its first bytes are, whatever a header or a name says. */
import {
	extensionOf,
	HEAD_BYTES,
	imageTypeOf,
	kindOf,
	videoTypeOf,
} from '../../nodes/shared/api/fileType';
import starts from '../fixtures/fileStarts.json';

/** A file that begins with these characters, one byte each. */
const head = (start: string) =>
	Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(HEAD_BYTES)]);
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
	expect(types.map(extensionOf)).toEqual(['mp4', 'mp4', 'webm', 'mkv']);
});

it.each(starts.images)('%s is told by its first bytes (%#)', (type, start) => {
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
