/**
 * Recognises links from file services that lead to a page about a file, not to the file: a task
 * with such an image would be paid for in vain. Source: the address forms of these services.
 */

interface Service {
	name: string;
	/** Whether the address is a page of this service. */
	isPage: (url: URL) => boolean;
	/** How to get a link to the file itself, as a sentence without its full stop. */
	instead: (url: URL) => string;
}

const UPLOAD =
	'It gives no links to the file itself: set Image to "From Input File", or upload the image to a public place';

const at =
	(...domains: string[]) =>
	({ hostname }: URL) =>
		domains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));

const isDropbox = at('dropbox.com');
const isOneDrive = at('onedrive.live.com');
const isSharePoint = at('sharepoint.com', 'sharepoint.cn', 'sharepoint.us');
const isImgur = at('imgur.com');

function driveId({ pathname, searchParams }: URL): string | undefined {
	const id = /\/d\/([\w-]+)/.exec(pathname)?.[1] ?? searchParams.get('id') ?? '';
	return /^[\w-]+$/.test(id) ? id : undefined;
}

/** Whether a query asks for the file: `raw=1`, `dl=1`, `download=1`. */
const asksForFile = ({ searchParams }: URL, ...names: string[]) =>
	names.some((name) => searchParams.get(name) === '1');

const SERVICES: readonly Service[] = [
	{
		name: 'Google Drive',
		isPage: (url) =>
			at('drive.google.com')(url) &&
			!/^\/(?:a\/[^/]+\/)?(?:u\/\d+\/)?(?:uc|thumbnail)$/.test(url.pathname),
		instead: (url) => {
			if (/\/folders\//.test(url.pathname)) return 'Open the folder, and share the image itself';
			const direct = `https://drive.google.com/uc?export=download&id=${driveId(url) ?? '…'}`;
			return `Share the file with "Anyone with the link", and use "${direct}"`;
		},
	},
	{
		name: 'Google Docs',
		isPage: (url) => at('docs.google.com')(url) && !/\/(?:export|uc)(?:\/|$)/.test(url.pathname),
		instead: () => 'Save the image as a file, and set Image to "From Input File"',
	},
	{
		name: 'Google Photos',
		isPage: at('photos.google.com', 'photos.app.goo.gl'),
		instead: () => UPLOAD,
	},
	{
		name: 'Google Images',
		isPage: (url) => /(?:^|\.)google\.[a-z.]+$/.test(url.hostname) && url.pathname === '/imgres',
		instead: () => 'Open the picture itself, and copy the address of the image',
	},
	{
		name: 'Dropbox',
		isPage: (url) =>
			isDropbox(url) &&
			(/^\/(?:scl\/fo|sh|home)(?:\/|$)/.test(url.pathname) || !asksForFile(url, 'raw', 'dl')),
		instead: ({ pathname }) =>
			/^\/(?:scl\/fo|sh|home)(?:\/|$)/.test(pathname)
				? 'Share the image itself rather than its folder, and end its link with raw=1 instead of dl=0'
				: 'End the link with raw=1 instead of dl=0',
	},
	{
		name: 'OneDrive',
		isPage: (url) =>
			at('1drv.ms')(url) ||
			(isOneDrive(url) && !/^\/download(?:\.aspx)?$/i.test(url.pathname)) ||
			(isSharePoint(url) &&
				!asksForFile(url, 'download') &&
				!/\/(?:_layouts\/15\/download\.aspx|_api\/)/i.test(url.pathname)),
		instead: (url) =>
			isSharePoint(url)
				? 'Add download=1 to the end of the link, after ? or &, or set Image to "From Input File"'
				: 'Fetch the file with the OneDrive node, and set Image to "From Input File"',
	},
	{
		name: 'iCloud',
		isPage: at('icloud.com'),
		instead: () => UPLOAD,
	},
	{
		name: 'Box',
		isPage: (url) => at('box.com')(url) && !url.pathname.startsWith('/shared/static/'),
		instead: () => 'In Box, open the settings of the shared link, and use its "Direct Link"',
	},
	{ name: 'WeTransfer', isPage: at('wetransfer.com', 'we.tl'), instead: () => UPLOAD },
	{ name: 'MEGA', isPage: at('mega.nz', 'mega.io'), instead: () => UPLOAD },
	{
		name: 'Imgur',
		isPage: (url) =>
			isImgur(url) && !/^i\.|^i-/.test(url.hostname) && !/\.\w{3,4}$/.test(url.pathname),
		instead: () => 'Open the picture itself: its link begins with https://i.imgur.com/',
	},
	{
		name: 'GitHub',
		isPage: (url) =>
			/^(?:www\.)?github\.com$/.test(url.hostname) &&
			/^\/[^/]+\/[^/]+\/(?:blob|tree)\//.test(url.pathname) &&
			!asksForFile(url, 'raw') &&
			url.searchParams.get('raw') !== 'true',
		instead: () => 'Use the link behind its "Raw" button',
	},
	{
		name: 'Canva',
		isPage: (url) => at('canva.com')(url) && url.pathname.startsWith('/design/'),
		instead: () => UPLOAD,
	},
	{
		name: 'Unsplash',
		isPage: (url) =>
			/^(?:www\.)?unsplash\.com$/.test(url.hostname) &&
			/^\/(?:[a-z]{2}\/)?photos\//.test(url.pathname) &&
			!/\/download$/.test(url.pathname),
		instead: () =>
			'Copy the address of the picture itself: its link begins with https://images.unsplash.com/',
	},
];

/**
 * Why a link is a page and no image, as the end of a sentence without its full stop, with how to
 * get a link to the file; undefined for any other link. The direct forms of these services pass.
 * Throws a TypeError for a text that is no URL: check that first.
 */
export function sharePageReason(link: string): string | undefined {
	const url = new URL(link);
	const service = SERVICES.find(({ isPage }) => isPage(url));
	if (!service) return undefined;
	return `is a page of ${service.name} that shows the file, not the image itself. ${service.instead(url)}`;
}
