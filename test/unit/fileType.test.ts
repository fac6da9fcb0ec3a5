/** A file is what its first bytes are, whatever a header or a name says. */
import {
	extensionOf,
	HEAD_BYTES,
	imageTypeOf,
	kindOf,
	videoTypeOf,
} from '../../nodes/shared/api/fileType';

const head = (start: string) =>
	Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(HEAD_BYTES)]);
const iso = (brand: string, box = 'ftyp') => head(`\0\0\0\x18${box}${brand}\0\0\x02\0isom`);
const EBML = '\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82';
const webm = head(`${EBML}\x84webm`);
const matroska = head(`${EBML}\x88matroska`);
const jpeg = head('\xff\xd8\xff\xe1');

it.each([
	['an MP4', iso('isom'), '', 'video/mp4'],
	['an MP4 of another brand', iso('mp42'), '', 'video/mp4'],
	['a QuickTime film', iso('qt  '), '', 'video/quicktime'],
	['an older QuickTime film', iso('abcd', 'moov'), '', 'video/mp4'],
	['a phone film', iso('3gp4'), '', 'video/3gpp'],
	['a WebM', webm, '', 'video/webm'],
	['a Matroska', matroska, '', 'video/x-matroska'],
	['an MP4 called text', iso('isom'), 'text/html; charset=utf-8', 'video/mp4'],
	['an MP4 called unknown', iso('isom'), 'application/octet-stream', 'video/mp4'],
	['an MP4 called WebM', iso('isom'), 'video/webm', 'video/mp4'],
	['an MP4 called QuickTime', iso('isom'), 'Video/QuickTime; x=1', 'video/quicktime'],
	['a WebM called MP4', webm, 'video/mp4', 'video/webm'],
	// Also where the header says that it is a video.
	['a web page', head('<!DOCTYPE html><html>'), 'video/mp4', undefined],
	['JSON', head('{"error":{}}'), 'video/mp4', undefined],
	['XML', head('<?xml version="1.0"?><Error/>'), 'video/mp4', undefined],
	['a HEIC picture', iso('heic'), 'video/mp4', undefined],
	['an AVIF picture', iso('avif'), 'video/mp4', undefined],
	['sound', iso('M4A '), 'video/mp4', undefined],
	['a JPEG', jpeg, 'video/mp4', undefined],
	['EBML of another kind', head('\x1aE\xdf\xa3\x9fnothing'), 'video/mp4', undefined],
	['compressed bytes', head('\x1f\x8b\x08\0'), 'video/mp4', undefined],
	['nothing', Buffer.alloc(0), 'video/mp4', undefined],
])('a video is told by its first bytes: %s', (_name, bytes, contentType, type) => {
	expect(videoTypeOf(bytes, contentType)).toBe(type);
});

it('a video is stored under the extension of its type', () => {
	const types = ['video/mp4', 'video/quicktime', 'video/webm', 'video/x-matroska'];
	expect(types.map(extensionOf)).toEqual(['mp4', 'mp4', 'webm', 'mkv']);
});

it.each([
	['image/jpeg', jpeg],
	['image/png', head('\x89PNG\r\n\x1a\n')],
	['image/gif', head('GIF89a')],
	['image/webp', head('RIFF\x10\0\0\0WEBPVP8 ')],
	['image/bmp', head('BM\x10\x20\0\0\0\0\0\0')],
	['image/tiff', head('II*\0')],
	['image/tiff', head('MM\0*')],
	['image/heic', iso('heic')],
	['image/heic', iso('mif1')],
	['image/avif', iso('avif')],
	// An SVG, a text that begins with BM, sound, a video, a PDF, nothing.
	[undefined, head('<svg xmlns="http://www.w3.org/2000/svg">')],
	[undefined, Buffer.from('BMW drives along a road, seen from above')],
	[undefined, head('RIFF\x10\0\0\0WAVEfmt ')],
	[undefined, iso('isom')],
	[undefined, head('%PDF-1.7')],
	[undefined, Buffer.alloc(0)],
])('an image is told by its first bytes: %s (%#)', (type, bytes) => {
	expect(imageTypeOf(bytes)).toBe(type);
});

it.each([
	['a web page', '<!DOCTYPE html>\n<html lang="en">'],
	['a web page', '\n  <html>'],
	['a web page', '<!-- a comment --><html>'],
	['a web page', Buffer.from('\ufeff<html><head>', 'utf16le')],
	['an SVG drawing', '<?xml version="1.0" encoding="UTF-8"?>\n<svg width="10">'],
	['an SVG drawing', '<svg viewBox="0 0 1 1">'],
	['XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'],
	['JSON', '  {"code": 404}'],
	['JSON', '[1]'],
	['text', 'not found'],
	['text', '\ufeffKöpfe'],
	['an empty file', ''],
	['a PDF', '%PDF-1.4'],
	['a ZIP or Office file', 'PK\x03\x04'],
	['a file of another kind', '\x01\x02\x03'],
	['an image', jpeg],
	['a video', webm],
])('a file is called, for a person, %s (%#)', (kind, start) => {
	expect(kindOf(Buffer.from(start as string))).toBe(kind);
});
