// The asset step of the build: checks and shrinks the icons, and leaves in dist only what n8n loads.
const { readdirSync, rmSync, statSync } = require('node:fs');
const { basename, join, relative, sep } = require('node:path');
const { pipeline, Transform } = require('node:stream');
const { dest, series, src } = require('gulp');
const { optimize } = require('svgo');

const LARGEST_ICON_BYTES = 10_000;

/** What n8n reads from the package: code, codex files, output schemas, icons. */
const BELONGS_IN_DIST = [
	/^(nodes|credentials)\/.*\.js$/,
	/^nodes\/[^/]+\/[^/]+\.node\.json$/,
	/^nodes\/[^/]+\/__schema__\/.*\.json$/,
	/^icons\/[^/]+\.svg$/,
];

/** Ends the build with one sentence instead of a stack. */
function failure(sentence) {
	return Object.assign(new Error(sentence), { name: 'Icons', showStack: false });
}

/** An svgo plugin that changes nothing and refuses what must not be in an icon. */
const check = (name) => ({
	name: 'check',
	fn: () => ({
		element: {
			enter: (node, parent) => {
				if (['script', 'foreignObject', 'image'].includes(node.name)) {
					throw failure(`${name} contains a <${node.name}> element: an icon holds shapes alone.`);
				}
				for (const [attribute, value] of Object.entries(node.attributes)) {
					const runs = /^on/i.test(attribute) || /^\s*javascript:/i.test(value);
					const loads = /^(xlink:)?href$/.test(attribute) && !value.startsWith('#');
					if (runs || loads) {
						throw failure(
							`${name} has ${attribute}="${value}": an icon runs nothing and loads nothing.`,
						);
					}
				}
				if (node.name === 'svg' && parent.type === 'root') checkSquare(name, node.attributes);
			},
		},
	}),
});

function checkSquare(name, { viewBox, width, height }) {
	const [, , boxWidth, boxHeight] = (viewBox ?? '').split(/[\s,]+/).map(Number);
	if (!(boxWidth > 0) || boxWidth !== boxHeight) {
		throw failure(`${name} is not square: its viewBox is "${viewBox ?? ''}".`);
	}
	if (width !== height) {
		throw failure(`${name} is not square: it is ${width} wide and ${height} high.`);
	}
}

/** Every icon has a light and a dark drawing, and they differ. */
function checkPairs(drawings) {
	if (drawings.size === 0) throw failure('There is no icon: icons/ holds no SVG.');
	for (const [name, drawing] of drawings) {
		const dark = name.endsWith('.dark.svg');
		const other = dark ? name.replace(/\.dark\.svg$/, '.svg') : name.replace(/\.svg$/, '.dark.svg');
		if (!drawings.has(other))
			throw failure(`${name} has no ${dark ? 'light' : 'dark'} twin ${other}.`);
		if (drawings.get(other) === drawing) {
			throw failure(`${name} and ${other} are the same drawing: n8n wants a light and a dark one.`);
		}
	}
}

function optimised() {
	const drawings = new Map();
	return new Transform({
		objectMode: true,
		transform(file, _encoding, done) {
			try {
				const name = basename(file.path);
				const { data } = optimize(file.contents.toString(), {
					path: file.path,
					multipass: true,
					plugins: [check(name), 'preset-default'],
				});
				const bytes = Buffer.byteLength(data);
				if (bytes >= LARGEST_ICON_BYTES) {
					throw failure(`${name} has ${bytes} bytes: an icon stays below ${LARGEST_ICON_BYTES}.`);
				}
				drawings.set(name, data);
				file.contents = Buffer.from(data);
				done(null, file);
			} catch (error) {
				done(error.showStack === false ? error : failure(`${file.relative}: ${error.message}`));
			}
		},
		flush(done) {
			try {
				checkPairs(drawings);
				done();
			} catch (error) {
				done(error);
			}
		},
	});
}

function drawings(done) {
	pipeline(src('icons/*.svg'), optimised(), dest('dist/icons'), done);
}

/** The compiler's type files and every picture of the repository end up in dist as well: nobody needs them there. */
async function leftovers() {
	const root = join(__dirname, 'dist');
	for (const entry of readdirSync(root, { recursive: true })) {
		const path = join(root, entry);
		const name = relative(root, path).split(sep).join('/');
		const stat = statSync(path, { throwIfNoEntry: false });
		if (stat?.isFile() && !BELONGS_IN_DIST.some((pattern) => pattern.test(name))) rmSync(path);
	}
	removeEmptyFolders(root);
}

function removeEmptyFolders(folder) {
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
	}
	if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}

exports.icons = series(drawings, leftovers);
exports.default = exports.icons;
