# SPDX-License-Identifier: Apache-2.0
# bash completion of dnstap_exporter; needs the package bash-completion.
_dnstap_exporter() {
    local cur prev words cword split
    _init_completion -s || return

    # Generated: tests/lint/check_documents.py --write
    local flags='--config.file= --config.check --web.listen-address= --web.systemd-socket --web.config.file=
        --web.enable-lifecycle --input.unix= --input.tcp= --server= --window= --once --format= --client=
        --name= --type= --rcode= --role= --answer= --from= --until= --slow= --limit= --user= --log.level=
        --log.format= --version --help'
    case $prev in
    --config.file | --web.config.file)
        _filedir '@(yml|yaml)'
        return
        ;;
    --input.unix)
        _filedir
        return
        ;;
    --web.listen-address | --input.tcp | --server | --window | --client | --name | --type | --rcode | --answer | --from | --until | --slow | --limit | --user)
        return
        ;;
    --format)
        mapfile -t COMPREPLY < <(compgen -W 'json text frames pdns' -- "$cur")
        return
        ;;
    --role)
        mapfile -t COMPREPLY < <(compgen -W 'auth resolver client forwarder stub tool update' -- "$cur")
        return
        ;;
    --log.level)
        mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$cur")
        return
        ;;
    --log.format)
        mapfile -t COMPREPLY < <(compgen -W 'logfmt json' -- "$cur")
        return
        ;;
    esac
    # End of what is generated
    $split && return

    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
        [[ ${COMPREPLY[0]:-} == *= ]] && compopt -o nospace
    elif [[ " ${words[*]:1:cword-1} " == *\ @(read|print)\ * ]]; then
        _filedir
    else
        mapfile -t COMPREPLY < <(compgen -W 'read print top' -- "$cur")
    fi
} && complete -F _dnstap_exporter dnstap_exporter
