/** Sentences about videos that are ready and could not be stored. */
import { problem, type Problem } from './problem';
import { formatAge } from './timeSpan';

/** What is known of a download that gave no file. */
export interface DownloadFailure {
	/** What happened, as the end of a sentence. */
	why: string;
	/** HTTP status of the video's server. */
	status?: number;
	/** Milliseconds since the task was created, for a link that is too old. */
	expiredMs?: number;
}

/** A video that is ready and paid for, but could not be stored. */
export function downloadFailed(taskId: string, url: string, failure: DownloadFailure): Problem {
	const { why, status, expiredMs } = failure;
	// The link comes from outside, and n8n shows descriptions as HTML.
	const link = url.replace(/[<>"]/g, encodeURIComponent);
	const free = `Wait for Video with task ID ${taskId}, or Retry in Executions if the execution failed`;
	if (expiredMs !== undefined) {
		return problem({
			code: 'download_failed',
			charged: 'yes',
			message: `The link of the video has expired (task ${taskId}): ${why}, ${formatAge(expiredMs)} after the video was started.`,
			advice: `Reading the task again gave no link that works. To ask for one later without paying again, use ${free}; if it stays like this, ask the support of seedanceapi.org with the task ID. The link was ${link}`,
			taskId,
		});
	}
	const blocked =
		status === 403
			? ' If the link opens in your browser, a firewall or proxy keeps this n8n away from it.'
			: '';
	return problem({
		code: 'download_failed',
		charged: 'yes',
		message: `The video is ready, but could not be downloaded (task ${taskId}): ${why}.`,
		advice: `Nothing is lost: the video is at ${link} and downloading it again does not pay again. Use ${free}.${blocked}`,
		taskId,
	});
}
