// Rules that no real file matches: they prove that a scan works.

rule Stepsmith_Test_File
{
    meta:
        description = "Stepsmith's own harmless test file"
        severity = "low"
    strings:
        // The brackets keep this file from matching itself.
        $text = /STEPSMITH-HARMLESS-(SCAN)-TEST-FILE/
    condition:
        $text
}

rule EICAR_Test_File
{
    meta:
        description = "The anti-malware industry's harmless test file"
        severity = "low"
    strings:
        // In hexadecimal, so that a scanner does not take this file for it.
        $text = { 45 49 43 41 52 2D 53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56 49 52 55 53 2D 54 45 53 54 2D 46 49 4C 45 }
    condition:
        $text in (0..256) and filesize < 1KB
}
